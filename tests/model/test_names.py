"""Names of repositories, environments and hosts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revieee.model.names import BadName, EnvironmentName, environment_label, label, repository_name, service_label, slug

HOSTILE = [
    "",
    "a",
    "a/",
    "/b",
    "a/b/c",
    "a/..",
    "a/.",
    "-a/b",
    "a b/c",
    "a/b c",
    "a/b\n",
    "a/$(id)",
    "a/`id`",
    "a/b;c",
    "ä/b",
    "a/\u202eb",
    "a/" + "b" * 101,
    "a" * 40 + "/b",
    "a/b\x00",
]
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@pytest.mark.parametrize("text", ["acme/shop", "A-1/.github", "a/_", "a/-", "a/a.b-c_d", "a/..."])
def test_what_github_may_call_a_repository_is_one(text: str) -> None:
    assert repository_name(text) == text
    assert EnvironmentName.parse(f"{text}#12") == EnvironmentName(text, 12)
    assert str(EnvironmentName(text, 12)) == f"{text}#12"


@pytest.mark.parametrize("text", HOSTILE)
def test_what_github_never_calls_a_repository_is_none(text: str) -> None:
    with pytest.raises(BadName):
        repository_name(text)
    with pytest.raises(BadName):
        EnvironmentName.parse(f"{text}#1")


@pytest.mark.parametrize("text", ["acme/shop", "acme/shop#", "acme/shop#0", "acme/shop#01", "acme/shop#-1", "a/b#1#2"])
def test_an_environment_needs_a_number(text: str) -> None:
    with pytest.raises(BadName, match="Write it as owner/repository#12"):
        EnvironmentName.parse(text)


def test_environments_are_sorted_by_number_not_by_digits() -> None:
    assert EnvironmentName("a/b", 9) < EnvironmentName("a/b", 10)


@given(st.text(), st.text(), st.integers(10, 63))
def test_whatever_it_is_made_of_a_label_is_a_dns_label(text: str, unique: str, length: int) -> None:
    made = label(text, unique=unique, length=length)
    assert LABEL.fullmatch(made)
    assert len(made) <= length


@given(st.text(min_size=1), st.integers(1, 10**9))
def test_hosts_of_whatever_names_are_dns_labels(text: str, number: int) -> None:
    environment = environment_label(label(text, length=40), number)
    assert LABEL.fullmatch(environment)
    assert LABEL.fullmatch(service_label(text, environment))


@given(st.text(), st.text(), st.text())
def test_what_tells_two_apart_gives_two_labels(text: str, one: str, other: str) -> None:
    assert one == other or label(text, unique=f"1{one}") != label(text, unique=f"1{other}")


def test_names_that_differ_only_after_the_cut_stay_two() -> None:
    assert label("x" * 100 + "a") != label("x" * 100 + "b")


def test_ordinary_names_stay_readable() -> None:
    assert environment_label("shop", 12) == "shop-pr-12"
    assert service_label("api", "shop-pr-12") == "api-shop-pr-12"
    assert slug("My Shop_2") == "my-shop-2"


def test_services_whose_names_read_alike_have_two_hosts() -> None:
    assert len({service_label(one, "shop-pr-1") for one in ("a_b", "a-b", "A-B", "a.b")}) == 4
