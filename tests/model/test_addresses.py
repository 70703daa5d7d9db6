"""Addresses out of our own pool."""

import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revieee.model.addresses import ROUTERS, PoolExhausted, assign, free_slot, slots, subnet_at
from revieee.model.policy import Policy

POOL, PREFIX = "10.208.0.0/20", 26


def test_the_default_pool_has_subnets_for_a_thousand_environments() -> None:
    policy = Policy()
    assert slots(policy.network_pool, policy.subnet_prefix) > 4000


def test_subnets_are_inside_the_pool_and_apart() -> None:
    found = [ipaddress.IPv4Network(subnet_at(POOL, PREFIX, slot)) for slot in range(slots(POOL, PREFIX))]
    assert all(one.subnet_of(ipaddress.IPv4Network(POOL)) for one in found)
    assert len(set(found)) == 64
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(found))
    with pytest.raises(PoolExhausted):
        subnet_at(POOL, PREFIX, 64)


@given(st.sets(st.integers(0, 63), max_size=62), st.integers(-1, 63))
def test_a_free_place_is_given_and_never_the_routers(taken: set[int], after: int) -> None:
    slot = free_slot(POOL, PREFIX, taken - {5}, after=after)
    assert slot not in taken - {5}
    assert slot != ROUTERS
    assert 0 < slot < 64


def test_places_go_round_so_that_freed_ones_rest_longest() -> None:
    assert free_slot(POOL, PREFIX, set(), after=-1) == 1
    assert free_slot(POOL, PREFIX, {1, 2}, after=2) == 3
    assert free_slot(POOL, PREFIX, {2}, after=63) == 1


def test_a_full_pool_says_so() -> None:
    with pytest.raises(PoolExhausted, match="REVIEEE_NETWORK_POOL"):
        free_slot(POOL, PREFIX, set(range(1, 64)), after=3)


@given(st.lists(st.text(min_size=1), unique=True, max_size=20), st.integers(0, 20))
def test_addresses_are_kept_and_never_given_twice(keys: list[str], kept: int) -> None:
    subnet = "10.208.0.64/26"
    before = assign(subnet, keys[:kept], {})
    after = assign(subnet, keys, before)
    assert {key: after[key] for key in before} == before
    assert len(set(after.values())) == len(keys)
    network = ipaddress.ip_network(subnet)
    assert all(ipaddress.ip_address(one) in network for one in after.values())
    assert "10.208.0.65" not in after.values(), "the gateway's"


def test_an_address_of_what_is_on_its_way_out_is_not_given() -> None:
    assert assign("10.208.0.64/26", ["new"], {"old": "10.208.0.66"}) == {"new": "10.208.0.67"}


def test_a_full_subnet_says_so() -> None:
    with pytest.raises(PoolExhausted, match="fewer services"):
        assign("10.208.0.64/30", ["a", "b"], {})
