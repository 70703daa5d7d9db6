import ipaddress
import subprocess
from dataclasses import replace

import pytest

from revieee.engines.docker.names import Names, bridge_prefix
from revieee.engines.docker.walls import PRIVATE_6, Walls, resolvers_of
from revieee.engines.docker.watch import planned
from revieee.model.policy import EngineOptions
from revieee.model.route import Endpoint
from revieee.ports import Placement

PLACE = Placement(instance="demo", environment=7, incarnation=1, name="acme/shop#7")
WALLS = Walls(instance="demo", bridges="rv1a2b", resolvers=("10.9.9.9",))


def chain(walls: Walls, name: str) -> list[str]:
    """The lines of one chain."""
    return walls.script().partition(f"chain {name} {{\n")[2].partition("}\n")[0].splitlines()


def test_rules_match_bridges_and_never_one_environment() -> None:
    script = WALLS.script()
    assert 'iifname "rv1a2b*" goto host' in script
    assert 'iifname "docker0" goto away' in script


def test_the_table_is_replaced_in_one_transaction() -> None:
    lines = WALLS.script().splitlines()
    assert lines[:3] == ["table inet revieee_demo", "delete table inet revieee_demo", "table inet revieee_demo {"]


def test_only_listed_servers_are_asked_for_names() -> None:
    script = WALLS.script()
    asked = script.index("ip daddr { 10.9.9.9/32 } meta l4proto { tcp, udp } th dport 53 accept")
    others = script.index("meta l4proto { tcp, udp } th dport 53 reject")
    private = script.index("10.0.0.0/8")
    assert asked < others < private


def test_the_router_is_open_at_one_address_and_port() -> None:
    script = replace(WALLS, router=("172.17.0.1", 8080)).script()
    assert "ip daddr 172.17.0.1 tcp dport 8080 accept" in script
    assert "dport 8080" not in WALLS.script()


def test_allowed_addresses_come_before_the_private_ranges() -> None:
    script = replace(WALLS, allowed=("10.1.0.0/16", "fd00::1")).script()
    assert script.index("ip daddr { 10.1.0.0/16 } accept") < script.index("100.64.0.0/10")
    assert "ip6 daddr { fd00::1/128 } accept" in script


@pytest.mark.parametrize("prefix", ["::ffff:", "64:ff9b::", "64:ff9b:1::", "2002:"])
def test_private_addresses_are_private_in_ipv6_too(prefix: str) -> None:
    address = ipaddress.ip_address(f"{prefix}a09:909{'::1' if prefix == '2002:' else ''}")
    assert any(address in ipaddress.ip_network(one) for one in PRIVATE_6)


@pytest.mark.parametrize(("internet", "last"), [(True, "accept comment"), (False, "reject with icmpx")])
def test_the_internet_is_a_setting(internet: bool, last: str) -> None:  # noqa: FBT001 - one of two cases
    assert chain(replace(WALLS, internet=internet), "away")[-1].startswith(last)


@pytest.mark.parametrize(("internet", "strangers", "last"), [(True, True, "accept comment"), (True, False, "reject"),
                                                             (False, True, "reject")])  # fmt: skip
def test_the_internet_of_strangers_is_another(internet: bool, strangers: bool, last: str) -> None:  # noqa: FBT001 - a row of the table
    rules = chain(replace(WALLS, internet=internet, stranger_internet=strangers), "stranger_away")
    assert rules[-1].startswith(last)
    asked = [one for one in rules if "dport 53 accept" in one]
    assert bool(asked) is last.startswith("accept"), "names carry anything"


def test_strangers_reach_no_private_address_and_the_router() -> None:
    walls = replace(WALLS, allowed=("10.1.0.0/16",), router=("172.17.0.1", 8080), stranger_internet=True)
    assert not any("10.1.0.0/16" in one for one in chain(walls, "stranger_away"))
    assert any("dport 8080 accept" in one for one in chain(walls, "stranger_host"))


def test_the_bridges_of_strangers_are_met_first() -> None:
    bridge = Names(replace(PLACE, trusted=False)).bridge("rv")
    assert bridge.startswith(bridge_prefix("rv", "demo") + "x")
    assert not Names(PLACE).bridge("rv").startswith(bridge_prefix("rv", "demo") + "x")
    assert len(bridge) == 15
    for hook in ("input", "forward"):
        rules = chain(WALLS, hook)
        assert [rules.index(one) for one in rules if "rv1a2bx" in one] == [1], "behind the line with the hook"


def test_other_rules_have_another_mark() -> None:
    assert replace(WALLS, internet=False).mark != WALLS.mark


def test_a_strange_instance_makes_a_plain_table_name() -> None:
    table = replace(WALLS, instance='a"; flush ruleset').table
    assert table.removeprefix("revieee_").isalnum()
    assert replace(WALLS, instance="a-b").table != replace(WALLS, instance="a_b").table


def test_resolvers_are_those_that_docker_hands_on() -> None:
    text = (
        "# hello\nnameserver 127.0.0.53\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\nnameserver nonsense\nsearch x\n"
    )
    assert resolvers_of(text) == ("10.0.0.2", "fe80::1")
    assert resolvers_of("nameserver 127.0.0.1\n") == ("8.8.8.8", "8.8.4.4")


def test_options_become_walls() -> None:
    walls = planned(EngineOptions(instance="demo", resolvers=("10.9.9.9",), router=Endpoint("172.17.0.1", 80)))
    assert walls.router == ("172.17.0.1", 80)
    assert walls.resolvers == ("10.9.9.9",)
    assert walls.bridges.startswith("rv")


@pytest.mark.slow
def test_the_kernel_takes_the_rules_and_counts_as_many() -> None:
    """In a network namespace of its own, twice: the second replaces the first."""
    walls = replace(WALLS, router=("172.17.0.1", 8080), allowed=("10.1.0.0/16", "fd00::1"), internet=False)
    steps = "nft -f - && nft list ruleset"
    load = ["unshare", "--net", "sh", "-c", steps]
    done = subprocess.run(load, input=walls.script() * 2, text=True, capture_output=True, check=True)
    assert done.stdout.count(walls.mark) == walls.marks == 4
    chains = done.stdout.count("chain ")
    lines = [line for line in done.stdout.splitlines() if line.startswith("\t\t") and "type filter" not in line]
    assert (chains, len(lines)) == (6, walls.rules)
