"""Certificates to believe that cannot be read are told of in words, with the setting that names them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from revieee.clients.certificates import authorities
from revieee.settings import Settings, SettingsError
from revieee.wiring import open_github


@pytest.fixture(autouse=True)
def _read_anew() -> Iterator[None]:
    authorities.cache_clear()
    yield
    authorities.cache_clear()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(SettingsError, match="SSL_CERT_FILE"):
        open_github(Settings(github_token="t"))
