"""Addresses: every environment's own subnet out of our pool, every container's fixed address in it."""

import ipaddress
from collections.abc import Collection, Iterable, Mapping

ROUTERS = 0
"""The place that no environment gets: the router's address for requests from inside is in it."""


class PoolExhausted(Exception):
    """No subnet or no address is free."""


def subnet_at(pool: str, prefix: int, slot: int) -> str:
    """Give the subnet (CIDR) at a place of the pool.

    Raises:
        PoolExhausted: the pool has fewer.
    """
    network = ipaddress.ip_network(pool)
    if slot >= slots(pool, prefix):
        raise PoolExhausted(f"the pool {pool} has no {slot + 1} subnets of /{prefix}")
    step = 2 ** (network.max_prefixlen - prefix)
    return f"{network.network_address + slot * step}/{prefix}"


def slots(pool: str, prefix: int) -> int:
    """Tell how many subnets a pool has."""
    return int(2 ** (prefix - ipaddress.ip_network(pool).prefixlen))


def router_address(pool: str, prefix: int) -> str:
    """Give the one address of the host that containers may reach."""
    return str(next(ipaddress.ip_network(subnet_at(pool, prefix, ROUTERS)).hosts()))


def free_slot(pool: str, prefix: int, taken: Collection[int], *, after: int) -> int:
    """Give the next free place but the router's, going round from ``after`` so that freed ones rest longest.

    Raises:
        PoolExhausted: all are taken.
    """
    count = slots(pool, prefix)
    used = {ROUTERS, *taken}
    for step in range(1, count + 1):
        slot = (after + step) % count
        if slot not in used:
            return slot
    raise PoolExhausted(f"all {count} subnets of {pool} are in use or rest: widen the pool (REVIEEE_NETWORK_POOL)")


def assign(subnet: str, keys: Iterable[str], taken: Mapping[str, str]) -> dict[str, str]:
    """Give every key an address of the subnet; one that has an address keeps it.

    Args:
        subnet: CIDR; its first address is the gateway's.
        keys: of tasks and hooks.
        taken: (key, address) of all that still exist, kept or on their way out.

    Raises:
        PoolExhausted: more keys than addresses.
    """
    used = set(taken.values())
    hosts = ipaddress.ip_network(subnet).hosts()
    next(hosts)
    given: dict[str, str] = {}
    for key in keys:
        if key in taken:
            given[key] = taken[key]
            continue
        for host in hosts:
            if str(host) not in used:
                given[key] = str(host)
                break
        else:
            raise PoolExhausted(f"{subnet} has no address left: fewer services, or wider subnets")
    return given
