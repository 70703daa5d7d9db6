import json
import re
from importlib.resources import files

import pytest

from revieee.model.view import State, View
from revieee.web.pages import PAGE_HEADER, STATES, Kind, Site, index_page, state_page, static_pages

SITE = Site(domain="review.example.com", forge_url="https://github.example.com/")
VIEW = View(
    environment="owner/web#12",
    instance="main",
    state=State.FAILED,
    headline="The release failed.",
    reason="<b>Dockerfile</b> line 3",
    next_act="Push a fix.",
    commit="0123456789abcdef",
    log="a secret",
)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", Kind)
def test_every_state_has_a_page_in_every_form(state: str, kind: Kind) -> None:
    page = state_page(SITE, state, kind, hostname="a.localhost", view=VIEW)
    assert page.status == STATES[state].status >= 400
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers[PAGE_HEADER] == state
    assert STATES[state].title in page.body
    assert "a secret" not in page.body


def test_what_a_pull_request_wrote_is_text_and_no_markup() -> None:
    body = state_page(SITE, "failed", Kind.HTML, view=VIEW).body
    assert "<b>Dockerfile</b>" not in body
    assert "&lt;b&gt;Dockerfile&lt;/b&gt; line 3" in body


def test_a_page_links_to_the_pull_request() -> None:
    url = "https://github.example.com/owner/web/pull/12"
    assert f'href="{url}"' in state_page(SITE, "failed", Kind.HTML, view=VIEW).body
    assert json.loads(state_page(SITE, "failed", Kind.JSON, view=VIEW).body)["pull_request"] == url
    assert url in state_page(SITE, "failed", Kind.TEXT, view=VIEW).body


def test_a_page_that_comes_again_says_so_to_browsers_and_programs() -> None:
    assert 'http-equiv="refresh" content="5"' in state_page(SITE, "building", Kind.HTML).body
    assert state_page(SITE, "building", Kind.JSON).headers["Retry-After"] == "5"
    assert "refresh" not in state_page(SITE, "unknown", Kind.HTML).body


@pytest.mark.parametrize("page", [state_page(SITE, "failed", Kind.HTML, view=VIEW).body, index_page(SITE, 3)])
def test_a_page_brings_all_it_needs(page: str) -> None:
    """Whoever is behind a firewall sees it as it is meant, and nobody else learns who looks at it."""
    assert not re.search(r"<(script|link|img|iframe)|@import|url\(", page)


def test_the_index_counts_environments_and_names_none() -> None:
    assert "3 environments are here" in index_page(SITE, 3)
    assert "1 environment is here" in index_page(SITE, 1)
    assert "No environments are here" in index_page(SITE, 0)


def test_the_router_has_a_page_for_every_state_and_answers_with_the_same_status() -> None:
    lua = files("revieee.routers.nginx").joinpath("lua/pages.lua").read_text()
    answers = re.findall(r"^  (\w+) = \{ (\d+)(?:, (\d+))? \},$", lua, re.MULTILINE)
    kept = {state: (int(status), int(retry) if retry else None) for state, status, retry in answers}
    assert kept == {state: (words.status, words.retry_after) for state, words in STATES.items()}
    assert set(static_pages("localhost")) == {f"{state}.{end}" for state in STATES for end in ("html", "json", "txt")}
