import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revieee.model.tags import built_here, image_prefix, image_tags

COMMIT = "0123456789abcdef0123456789abcdef01234567"
COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REFERENCE = re.compile(rf"{COMPONENT}(?:/{COMPONENT})*:\w[\w.-]{{0,127}}", re.ASCII)
"""Distribution's `reference` grammar, without a registry."""


def test_repository_branch_and_commit_can_be_read() -> None:
    assert image_tags("i1", "Acme/shop", "cart", COMMIT, "web") == ("revieee-i1/acme/shop/web:cart-0123456789ab",)


def test_the_name_of_another_repository_s_image_cannot_be_guessed() -> None:
    (one,) = image_tags("i1", "acme/shop", "cart", COMMIT, "web", secret="s")
    (other,) = image_tags("i1", "acme/blog", "cart", COMMIT, "web", secret="s")
    assert re.fullmatch(r"revieee-i1/[0-9a-f]{16}/acme/shop/web:cart-0123456789ab", one)
    assert one.split("/")[1] != other.split("/")[1]
    assert built_here("i1", one)


@given(st.text(), st.text(min_size=1), st.text(min_size=1))
def test_any_branch_gives_a_name_that_docker_takes(branch: str, service: str, instance: str) -> None:
    for tag in image_tags(instance, "acme/shop", branch, COMMIT, service):
        assert REFERENCE.fullmatch(tag)
        assert len(tag.partition(":")[0]) <= 255


@pytest.mark.parametrize(("one", "other"), [("a/b", "a-b"), ("a_b", "a-b"), ("$(id)", "id"), ("x" * 90, "x" * 91)])
def test_different_branches_have_different_names(one: str, other: str) -> None:
    assert image_tags("i", "acme/shop", one, COMMIT, "web") != image_tags("i", "acme/shop", other, COMMIT, "web")


def test_different_repositories_have_different_names() -> None:
    names = {image_tags("i", name, "b", COMMIT, "web") for name in ("a/b-c", "a/b.c", "a/b_c", "a-b/c", "a/b--c")}
    assert len(names) == 5


@pytest.mark.parametrize("form", ["{}", "docker.io/{}", "registry.example:5000/{}", "{}@sha256:12"])
def test_our_images_are_known_by_their_names(form: str) -> None:
    (tag,) = image_tags("i1", "acme/shop", "main", COMMIT, "web")

    assert built_here("i1", form.format(tag))
    assert not built_here("i2", form.format(tag))
    assert not built_here("i1", "postgres:16")
    assert not built_here("i1", f"{image_prefix('i1')}x/a")
