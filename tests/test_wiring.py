"""Wiring: what settings become."""

from pathlib import Path

import pytest

from revieee.routers.nginx import Inside
from revieee.settings import Settings, SettingsError
from revieee.wiring import load_engine, open_database, open_router


async def test_a_service_that_says_nothing_gets_no_more_than_the_most(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, memory=64, cpus=0.5, pids=20, default_memory=512, default_cpus=1.0)
    engine = load_engine(settings, "one")
    limits = engine._options.limits  # type: ignore[attr-defined]  # how an engine keeps them is its own
    await engine.close()
    assert (limits.memory, limits.cpus, limits.pids) == (64 * 2**20, 0.5, 20)


def test_a_data_folder_that_cannot_be_made_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"REVIEEE_DATA: the folder .*/file/data cannot be made: Not a directory"):
        open_database(Settings(data=tmp_path / "file" / "data"))


def test_the_router_s_folder_is_the_data_folder_with_links_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    assert open_router(Settings(data=tmp_path / "link")).options.data == tmp_path.resolve() / "disk"


@pytest.mark.parametrize("listen", ["127.0.0.1:8080", "0.0.0.0:8080"])
def test_containers_have_an_address_of_their_own_at_the_router_wherever_people_come_in(
    tmp_path: Path, listen: str
) -> None:
    options = open_router(Settings(data=tmp_path, listen=listen, network_pool="10.64.0.0/16")).options
    assert options.inside == Inside(host="10.64.0.1", port=8080, subnet_prefix=26)


def test_behind_a_load_balancer_containers_take_everybody_s_way(tmp_path: Path) -> None:
    assert open_router(Settings(data=tmp_path, public_url="https://localhost")).options.inside is None
