import ipaddress
import socket
from pathlib import Path

import pytest

from revieee.testing.serving import ControlPlane, Given, ServingError, call, free_pool, free_port, tables_naming, until

RULES = """table ip filter {
	chain FORWARD {
		ip daddr 10.200.0.1 drop
	}
}
table inet revieee_aaaa {
	chain host {
		ip daddr 10.200.0.1 tcp dport 8080 accept
	}
}
table inet revieee_bbbb {
	chain host {
		ip daddr 10.200.0.10 tcp dport 8080 accept
	}
}
"""


def given(port: int = 1, **settings: str) -> Given:
    return Given(port=port, github_url="http://x", github_api_url="http://x", token="t", settings=settings)


def test_a_preferred_port_is_taken_where_it_is_free() -> None:
    free = free_port()
    assert free_port(free) == free
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert free_port(taken.getsockname()[1], free) == free


async def test_a_pool_of_addresses_is_private_and_one_s_own() -> None:
    pool = ipaddress.ip_network(await free_pool())
    assert pool.is_private
    assert pool.num_addresses >= 4096


def test_the_firewall_table_of_a_pool_is_found_by_its_address() -> None:
    assert tables_naming("10.200.0.1", RULES) == ["revieee_aaaa"]
    assert tables_naming("10.9.0.1", RULES) == []


def test_no_setting_of_this_process_reaches_a_control_plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVIEEE_FORKS", "allow")
    environment = ControlPlane(tmp_path / "data", given(8123, drain_limit="3")).environment()
    assert "REVIEEE_FORKS" not in environment
    assert environment["REVIEEE_DRAIN_LIMIT"] == "3"
    assert environment["REVIEEE_LISTEN"] == "127.0.0.1:8123"


async def test_a_program_that_is_not_there_ends_with_127() -> None:
    assert (await call("no-such-program-here")).code == 127


async def test_asking_ends_with_the_last_answer() -> None:
    answers = iter([0, 0, 7])

    async def ask() -> int:
        return next(answers, 0)

    assert await until(ask, pause=0) == 7
    assert await until(ask, seconds=0.02, pause=0.01) == 0


@pytest.mark.slow
async def test_one_that_does_not_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    control = ControlPlane(tmp_path / "data", given(free_port(), webhook_secret=""))
    with pytest.raises(ServingError, match="REVIEEE_WEBHOOK_SECRET"):
        await control.start()
    await control.end()
    assert not control.data.exists()
