"""Which registries the engine may be sent to."""

import pytest

from revieee.model.registries import registry_of, unreachable


@pytest.mark.parametrize(
    "reference",
    [
        "busybox",
        "library/busybox:1",
        "acme/shop@sha256:" + "0" * 64,
        "registry.example/acme/shop:1",
        "example.com:5000/shop",
        "8.8.8.8:5000/x",
    ],
)
def test_public_ones(reference: str) -> None:
    assert unreachable(reference) == ""


PRIVATE = """
localhost localhost:5000 LOCALHOST:5000 127.0.0.1 127.0.0.1:5000 127.1:80 2130706433:80 0x7f.1:80
0x7f000001:80 0177.0.0.1:80 0.0.0.0:80 10.0.0.5:5000 172.16.0.1 192.168.1.1:80 169.254.169.254
100.64.0.1:80 [::1]:5000 [fe80::1]:80 [fd00::1]:80 [::ffff:127.0.0.1]:80 registry:5000
host.docker.internal:5000 registry.localhost:80 metadata.google.internal printer.local:631
224.0.0.1:80 localhost.:80 Registry
"""


@pytest.mark.parametrize("registry", PRIVATE.split())
def test_this_machine_and_private_networks(registry: str) -> None:
    assert registry in unreachable(f"{registry}/x")
    assert unreachable(f"{registry}/x", {registry.lower()}) == ""


def test_one_may_be_allowed_with_every_port_or_with_one() -> None:
    assert unreachable("10.0.0.5:5000/x", {"10.0.0.5"}) == ""
    assert unreachable("10.0.0.5:5000/x", {"10.0.0.5:5000"}) == ""
    assert unreachable("10.0.0.5:5001/x", {"10.0.0.5:5000"})


def test_the_first_part_is_a_registry_only_where_the_engine_thinks_so() -> None:
    assert registry_of("localhost") == ""
    assert registry_of("local/x") == ""
    assert registry_of("a.b/x:1") == "a.b"
