import pytest

from revieee.model.route import Endpoint, Route, RouteState
from revieee.ports import Refused
from revieee.routers.nginx.lines import Known, compare, forget_line, line, read_open, read_seen, read_table

UP = Route(hostname="a.localhost", state=RouteState.UP, endpoint=Endpoint("10.0.0.2", 80), version=3)


def route(hostname: str = "a.localhost", version: int = 3, state: RouteState = RouteState.BUILDING) -> Route:
    return Route(hostname=hostname, state=state, version=version)


def test_a_route_is_one_line() -> None:
    assert line(UP) == "a.localhost up 10.0.0.2:80 3\n"
    assert line(route(state=RouteState.GONE)) == "a.localhost gone - 3\n"
    assert forget_line("a.localhost", 3) == "a.localhost forget - 3\n"


def test_an_ipv6_endpoint_has_brackets_and_is_read_back() -> None:
    endpoint = Endpoint("fd00::2", 80)
    written = line(Route(hostname="a", state=RouteState.UP, endpoint=endpoint, version=1))
    assert written == "a up [fd00::2]:80 1\n"
    assert read_open("[fd00::2]:80 4\n10.0.0.2:81 1\n") == {endpoint: 4, Endpoint("10.0.0.2", 81): 1}


@pytest.mark.parametrize("hostname", ["", "A", "a b", "a\nb up 1.1.1.1:1 9", "ä", "a_b", "a/b", "a" * 254])
def test_a_hostname_that_is_none_is_refused(hostname: str) -> None:
    with pytest.raises(Refused, match="hostname"):
        line(route(hostname))


@pytest.mark.parametrize(
    "endpoint",
    [None, Endpoint("localhost", 80), Endpoint("1.2.3.4 9\nb", 80), Endpoint("1.2.3.4", 0), Endpoint("1.2.3.4", 65536)],
)
def test_an_endpoint_that_is_none_is_refused(endpoint: Endpoint | None) -> None:
    with pytest.raises(Refused, match="endpoint"):
        line(Route(hostname="a", state=RouteState.UP, endpoint=endpoint, version=1))


def test_what_is_missing_or_older_is_pushed() -> None:
    known = read_table("a.localhost up 10.0.0.2:80 3\nb.localhost hold - 1\n")
    difference = compare([UP, route("b.localhost", 2), route("c.localhost", 1)], known)
    assert [pushed.hostname for pushed in difference.push] == ["b.localhost", "c.localhost"]
    assert difference.ahead == {}


def test_what_is_newer_in_the_router_or_unknown_to_the_store_is_ahead() -> None:
    known = {"a.localhost": Known(state="up", version=9), "stray.localhost": Known(state="up", version=1)}
    difference = compare([UP], known)
    assert difference.push == ()
    assert difference.ahead == {"a.localhost": 9, "stray.localhost": 1}


def test_tombstones_are_no_difference() -> None:
    known = {"old.localhost": Known(state="gone", version=9)}
    difference = compare([route("older.localhost", state=RouteState.GONE)], known)
    assert (difference.push, difference.ahead) == ((), {})


def test_last_requests_are_read() -> None:
    assert read_seen("a.localhost 1700000000\n") == {"a.localhost": 1700000000.0}
