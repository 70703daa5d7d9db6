import asyncio
import io
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from revieee.model.manifest import Limits
from revieee.model.reading import read
from revieee.testing.demo import example, proof
from revieee.testing.demo.show import Show
from revieee.testing.demo.traffic import requests
from revieee.testing.trees import MemoryTree
from support.manifests import CONTEXT

SHOP = Path(__file__).parents[2] / "examples" / "shop"


def screen(width: int) -> tuple[Show, io.StringIO]:
    written = io.StringIO()
    return Show(Console(file=written, width=width, highlight=False), 2), written


def test_the_example_becomes_what_it_says_without_a_notice() -> None:
    manifest = read(MemoryTree(example.files_of(SHOP)), CONTEXT, Limits())
    assert [service.name for service in manifest.stack.services] == [example.MAIN, example.OTHER]
    assert manifest.notices == ()


def test_the_changes_of_the_demo_are_changes_of_the_example() -> None:
    files = example.files_of(SHOP)
    for change in (example.FIRST, example.SECOND):
        assert change.keys() <= files.keys()
        assert all(files[path] != content for path, content in change.items())


def test_a_folder_without_files_is_no_example(tmp_path: Path) -> None:
    with pytest.raises(example.NoExample, match="--example"):
        example.files_of(tmp_path)


@pytest.mark.parametrize("width", [60, 80])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    show, written = screen(width)
    with show.step("A pull request is opened") as step:
        show.pairs({"Pull request": f"http://127.0.0.1:8081/acme/{'shop' * 20}/pull/1"})
        step.happened("Live; an update is on its way: replacing services that keep a volume, and more than that.")
        show.comment("bot", "<!-- revieee -->\n### ✔ Live.\n\n| Service | URL |\n| --- | --- |\n| web | <http://x> |\n")
        show.proof([("Containers", 2, 0)])
    lines = written.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert lines[1] == "1/2 A pull request is opened"
    assert "<!--" not in written.getvalue()
    assert "✓ done" in lines[-1]


def test_a_step_that_fails_says_so() -> None:
    show, written = screen(80)
    with pytest.raises(ValueError, match="no"), show.step("Something"):
        raise ValueError("no")
    assert "✗ not done" in written.getvalue()


@pytest.mark.parametrize(
    ("answers", "failures"),
    [
        ([(200, "one")], set()),
        ([(200, "one"), (200, "two")], set()),
        ([(200, "one"), (502, "")], {"status 502"}),
        ([(200, "another's")], {"status 200"}),
    ],
)
async def test_every_request_that_fails_is_counted(answers: list[tuple[int, str]], failures: set[str]) -> None:
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        assert request.headers["Host"] == "shop.test"
        asked += 1
        status, text = answers[asked % len(answers)]
        return httpx.Response(status, text=text)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    async with client, requests(client, "http://127.0.0.1/", "shop.test", ("one", "two")) as traffic:
        await asyncio.sleep(0.1)
    assert traffic.requests == asked > 4
    assert set(traffic.failures) == failures


async def test_a_connection_that_is_refused_is_a_failure() -> None:
    async with httpx.AsyncClient() as client, requests(client, "http://127.0.0.1:1/", "x", ("x",)) as traffic:
        await asyncio.sleep(0.1)
    assert traffic.failed == traffic.requests > 0


def test_an_address_of_the_environment_s_subnet_is_found_in_a_rule_and_its_neighbour_is_not() -> None:
    known = proof.Marks(subnet="10.200.0.64/26", bridge="rvabc1")
    lines = ["-A POSTROUTING -s 10.200.0.64/26", "dnat to 10.200.0.66:80", "iifname rvabc1 accept", "10.200.0.1 accept"]
    assert [proof.names(line, known) for line in lines] == [True, True, True, False]
