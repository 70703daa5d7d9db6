"""The wall between neighbours on the bridge of builds, on the real kernel, in network namespaces of the test's own."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from revieee.engines.docker.bridged import WATCHED, Bridged
from revieee.engines.docker.walls import Walls
from support.neighbours import NETWORK_6, Host, address, neighbours

HOST, BUILD, OTHER_BUILD, FOREIGN, OTHER_FOREIGN = 1, 2, 3, 4, 5
Q, AD, Q_7 = "81000000", "88a80000", "81000007"
"""Tags: of VLAN 0, which says nothing but a priority, so that every receiver takes it off; and of another VLAN."""
WALL = Bridged(instance="demo", addresses=(f"{address(HOST)}/24", f"{NETWORK_6}:1/64"))


def chain(wall: Bridged, name: str) -> list[str]:
    """The lines of one chain."""
    return wall.script().partition(f"chain {name} {{\n")[2].partition("}\n")[0].splitlines()


def test_only_frames_on_the_bridge_of_builds_are_judged() -> None:
    assert chain(WALL, "forward")[1:] == ["meta ibrname @watched goto neighbours"], "whatever it carries"
    assert chain(WALL, "input")[1] == "meta ibrname != @watched accept"
    tagged, *by_address = [one for one in chain(replace(WALL, named=False), "forward") if "goto" in one]
    assert tagged == "meta protocol { 0x8100, 0x88a8 } @nh,4,12 0 goto neighbours"
    assert len(by_address) == 6
    assert all("@inside_" in one for one in by_address)


def test_who_is_there_changes_no_rule() -> None:
    assert replace(WALL, foreign=("veth1",), addresses=()).mark == WALL.mark
    assert replace(WALL, allowed=("192.0.2.4",)).mark != WALL.mark
    assert replace(WALL, named=False).mark != WALL.mark


def test_it_lasts_no_longer_than_somebody_renews_it() -> None:
    assert 'elements = { "docker0" timeout 120s }' in WALL.script()
    by_address = replace(WALL, named=False)
    assert "arp timeout 120s, 0x8100 timeout 120s" in by_address.script()
    for hook in ("forward", "input"):
        assert chain(by_address, hook)[1] == "meta protocol != @watched accept", "behind the line with the hook"


def test_addresses_of_the_other_family_open_nothing() -> None:
    assert replace(WALL, allowed=("2001:db8:1::4",)).rules == WALL.rules
    assert replace(WALL, allowed=("192.0.2.4", "192.0.2.4")).rules == WALL.rules + 4


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with neighbours(BUILD, OTHER_BUILD, FOREIGN, OTHER_FOREIGN) as host:
        yield host


def stand(host: Host, wall: Bridged = WALL) -> None:
    """Load the wall as one is that tells by addresses: every kernel can."""
    ports = (host.port(FOREIGN), host.port(OTHER_FOREIGN))
    load(host, replace(wall, named=False, foreign=ports).script())


def stand_by_name(host: Host) -> None:
    """Load the wall as one that tells by the bridge's name; its ports' stand in, since not every kernel tells it."""
    wall = replace(WALL, foreign=(host.port(FOREIGN), host.port(OTHER_FOREIGN)))
    ports = ", ".join(f'"{host.port(one)}" timeout 120s' for one in (BUILD, OTHER_BUILD, FOREIGN, OTHER_FOREIGN))
    load(host, wall.script().replace("meta ibrname", "iifname").replace('"docker0" timeout 120s', ports))


def load(host: Host, script: str) -> None:
    host.run("nft", "-f", "-", stdin=script)


def both(number: int) -> list[str]:
    """The questions to a member: each protocol, each family."""
    return [f"{how} {one}" for how in ("tcp", "udp") for one in (address(number), f"{NETWORK_6}:{number}")]


@pytest.mark.slow
def test_a_build_reaches_nobody_beside_it_and_foreign_containers_each_other(host: Host) -> None:
    asked = [*both(OTHER_BUILD), *both(FOREIGN)]
    load(host, WALL.removal())
    assert host.asked(BUILD, *asked) == asked, "without the wall"
    stand(host)
    stand(host)
    assert host.asked(BUILD, *asked) == []
    assert host.asked(FOREIGN, *both(BUILD)) == [], "nor does anybody reach it"
    assert host.asked(OTHER_FOREIGN, *both(OTHER_BUILD), *both(FOREIGN)) == both(FOREIGN)


@pytest.mark.slow
def test_a_build_takes_no_address_of_others(host: Host) -> None:
    load(host, WALL.removal())
    for before in (True, False):
        host.asked(OTHER_FOREIGN, f"tcp {address(FOREIGN)}")
        host.forges(BUILD, address(FOREIGN))
        host.asked(OTHER_FOREIGN, f"udp {address(HOST)}")  # what came first was taken in
        assert host.deceived(OTHER_FOREIGN, by=BUILD, claimed=FOREIGN) is before
        stand(host)
        host.forget(OTHER_FOREIGN)


@pytest.mark.slow
@pytest.mark.parametrize("stands", [stand, stand_by_name])
@pytest.mark.parametrize("tags", [(Q, Q), (AD, Q), (Q, AD), (Q, Q, Q)])
def test_no_tags_that_a_receiver_takes_off_lead_to_a_neighbour(
    host: Host, stands: Callable[[Host], None], tags: tuple[str, ...]
) -> None:
    host.run("sysctl", "-qw", "net.ipv4.conf.all.send_redirects=0")
    load(host, WALL.removal())
    for before in (True, False):
        words = "before" if before else "after"
        host.asked(FOREIGN, f"tcp {address(HOST)}", f"tcp {address(OTHER_FOREIGN)}")
        assert host.gets(FOREIGN, BUILD, f"{words} to it".encode(), *tags) is before
        assert host.gets_by_the_host(FOREIGN, BUILD, f"{words} by the host".encode(), *tags) is before
        host.asked(OTHER_FOREIGN, f"tcp {address(FOREIGN)}")
        host.forges(BUILD, address(FOREIGN), *tags)
        host.asked(OTHER_FOREIGN, f"udp {address(HOST)}")  # what came first was taken in
        assert host.deceived(OTHER_FOREIGN, by=BUILD, claimed=FOREIGN) is before
        stands(host)
        host.forget(HOST)
        host.forget(OTHER_FOREIGN)
    assert host.gets(FOREIGN, OTHER_FOREIGN, b"among foreign ones", *tags)
    assert host.asked(OTHER_FOREIGN, *both(FOREIGN)) == both(FOREIGN)


@pytest.mark.slow
def test_what_other_bridges_carry_in_two_tags_is_left_alone() -> None:
    hook = "type filter hook postrouting priority filter"
    count = f"table bridge seen {{ chain seen {{ {hook}; meta protocol 0x8100 counter; }}; }}"
    with neighbours(BUILD, FOREIGN, bridge="other0") as other:
        load(other, replace(WALL, named=False, addresses=("198.51.100.1/24",)).script())
        for tags, passed in (((Q, Q_7), True), ((AD, Q_7), True), ((Q, Q), False)):
            load(other, f"table bridge seen\ndelete table bridge seen\n{count}")
            other.gets(FOREIGN, BUILD, b"double", *tags)
            listed = json.loads(other.run("nft", "-j", "list", "table", "bridge", "seen"))["nftables"]
            (rule,) = (one["rule"] for one in listed if "rule" in one)
            assert rule["expr"][-1]["counter"]["packets"] == passed


@pytest.mark.slow
def test_nor_does_the_host_carry_anything_back_for_it(host: Host) -> None:
    load(host, WALL.removal())
    host.run("sysctl", "-qw", "net.ipv4.conf.all.send_redirects=0")
    host.asked(FOREIGN, f"tcp {address(HOST)}")
    assert host.gets_by_the_host(OTHER_BUILD, BUILD, b"open")
    stand(host)
    assert not host.gets_by_the_host(OTHER_BUILD, BUILD, b"closed")
    assert host.gets_by_the_host(FOREIGN, OTHER_FOREIGN, b"foreign")


@pytest.mark.slow
def test_a_setting_opens_a_foreign_container_and_never_another_build(host: Host) -> None:
    stand(host, replace(WALL, allowed=(f"{address(FOREIGN)}/32", f"{address(OTHER_BUILD)}/32")))
    host.forget(BUILD)
    asked = [f"{how} {address(one)}" for how in ("tcp", "udp") for one in (OTHER_BUILD, FOREIGN, OTHER_FOREIGN)]
    assert host.asked(BUILD, *asked) == [f"tcp {address(FOREIGN)}", f"udp {address(FOREIGN)}"]


@pytest.mark.slow
@pytest.mark.parametrize("stands", [stand, stand_by_name])
def test_without_anybody_who_renews_it_all_is_as_it_was(host: Host, stands: Callable[[Host], None]) -> None:
    stands(host)
    lapse = f"flush set bridge {WALL.table} {WATCHED}"
    assert host.asked(BUILD, *both(FOREIGN)) == []
    load(host, lapse)
    assert host.asked(BUILD, *both(FOREIGN)) == both(FOREIGN)
    assert host.gets(FOREIGN, BUILD, b"tagged", Q, Q)
    assert host.gets_by_the_host(FOREIGN, BUILD, b"tagged, by the host", Q, Q)


@pytest.mark.slow
def test_the_kernel_counts_the_rules_as_we_do(host: Host) -> None:
    wall = replace(WALL, named=False, allowed=("192.0.2.4",), foreign=("veth1",))
    load(host, wall.script())
    listed = json.loads(host.run("nft", "-j", "list", "table", "bridge", wall.table))["nftables"]
    rules = [one["rule"] for one in listed if "rule" in one]
    assert len(rules) == wall.rules
    assert sum(one.get("comment") == wall.mark for one in rules) == wall.marks == 4


@pytest.mark.slow
def test_the_host_answers_neither_family_nor_protocol(host: Host) -> None:
    walls = Walls(instance="demo", bridges="rv1a2b")
    load(host, walls.removal())
    assert host.asked(BUILD, *both(HOST)) == both(HOST), "without the walls"
    load(host, walls.script())
    assert host.asked(BUILD, *both(HOST)) == []
