from pathlib import Path
from typing import Any

import pytest

from revieee.routers.nginx import Inside, RouterOptions, Tls
from revieee.routers.nginx.config import Build, render

BUILD = Build.read(
    "nginx version: nginx/1.22.1\nconfigure arguments: --prefix=/usr/share/nginx --modules-path=/usr/lib/m"
)


@pytest.mark.parametrize(
    "wrong",
    [
        {"domain": "exa mple.com"},
        {"domain": "example.com;"},
        {"domain": "Example.com"},
        {"domain": "example.com:80"},
        {"domain": "example.com\n"},
        {"listen": ("localhost; evil", 80)},
        {"listen": ("127.0.0.1", 0)},
        {"listen": ("127.0.0.1", 70000)},
        {"inside": Inside(host="evil", port=80, subnet_prefix=26)},
        {"inside": Inside(host="::1", port=80, subnet_prefix=26)},
        {"inside": Inside(host="10.0.0.1", port=80, subnet_prefix=33)},
        {"inside": Inside(host="127.0.0.1", port=8080, subnet_prefix=26)},
        {"trusted_proxies": ("10.0.0.0/8; evil",)},
        {"tls": Tls(certificate=Path("relative.pem"), key=Path("/key.pem"))},
        {"tls": Tls(certificate=Path('/a"; evil'), key=Path("/key.pem"))},
        {"pages": {"../nginx.conf": ""}},
    ],
)
def test_nothing_that_could_change_the_configurations_meaning_gets_into_it(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        RouterOptions(data=Path("/data"), **wrong)


def test_an_installed_nginx_tells_its_version_and_where_its_modules_are() -> None:
    assert (BUILD.version, BUILD.modules) == ("1.22.1", Path("/usr/lib/m"))


def test_the_same_settings_are_the_same_configuration() -> None:
    first = render(RouterOptions(data=Path("/one")), BUILD)
    assert first == render(RouterOptions(data=Path("/two")), BUILD)
    assert first.digest in first.configuration


@pytest.mark.parametrize(
    "change",
    [{"domain": "example.com"}, {"hold_seconds": 1}, {"listen": ("::1", 80)}, {"pages": {"unknown.html": "words"}}],
)
def test_every_setting_changes_the_digest(change: dict[str, Any]) -> None:
    first = render(RouterOptions(data=Path("/data")), BUILD)
    assert render(RouterOptions(data=Path("/data"), **change), BUILD).digest != first.digest


def test_another_nginx_changes_the_digest() -> None:
    options = RouterOptions(data=Path("/data"))
    assert render(options, Build.read(BUILD.words.replace("1.22", "1.23"))).digest != render(options, BUILD).digest


def test_both_addresses_are_listened_on_and_the_domain_itself_at_one() -> None:
    inside = Inside(host="10.0.0.1", port=80, subnet_prefix=26)
    configuration = render(RouterOptions(data=Path("/data"), listen=("::1", 80), inside=inside), BUILD).configuration
    assert configuration.count("listen [::1]:80") == 2
    assert configuration.count("listen 10.0.0.1:80") == 1
