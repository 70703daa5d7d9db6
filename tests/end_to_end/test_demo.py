"""`bin/demo` as people run it."""

import asyncio
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from revieee.testing.serving import call, docker
from support.docker import BaseImages

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def parts(base_images: BaseImages, nginx: str) -> None:
    assert base_images.busybox
    assert nginx


@dataclass
class Demo:
    """A demo that was started, with a temporary folder of its own."""

    folder: Path
    process: subprocess.Popen[str]
    said: str = ""
    address: str = ""

    async def until(self, words: str) -> None:
        """Read until a line has these words."""
        assert self.process.stdout
        line = ""
        while words not in line:
            line = await asyncio.to_thread(self.process.stdout.readline)
            assert line, self.said
            self.said += line
        (configuration,) = self.folder.glob("revieee-demo-*/revieee/router/nginx.conf")
        files = [configuration, *configuration.parent.glob("configuration-*/*.conf")]
        text = "".join(path.read_text() for path in files)
        (self.address,) = set(re.findall(r"listen (10\.[\d.]+):", text))

    async def ends(self) -> int:
        """Wait for its end; gives the exit code."""
        said, _ = await asyncio.to_thread(self.process.communicate)
        self.said += said
        return self.process.returncode

    async def left(self) -> list[str]:
        """List what it left: its firewall table, the address it lent, its folder, things on the engine."""
        found = re.search(r"instance (\w+)", self.said)
        assert found, self.said
        tables, addresses = await asyncio.gather(call("nft", "list", "tables"), call("ip", "-brief", "address"))
        lists = [line for line in tables.out.splitlines() if found[1] in line]
        lists += [word for word in addresses.out.split() if self.address and word == f"{self.address}/32"]
        label = f"--filter=label=revieee.instance={found[1]}"
        lists += await docker("container", "ls", "--all", "--format={{.Names}}", label)
        return lists + [str(path) for path in self.folder.iterdir()]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder; pytest's own are named so long that no unix socket fits."""
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        yield Path(name)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Demo]]:
    """Starts a demo; it is ended at the end, come what may."""
    begun: list[Demo] = []

    def starting(*arguments: str, width: int = 80) -> Demo:
        environment = {**os.environ, "COLUMNS": str(width), "PYTHONUNBUFFERED": "1", "TMPDIR": str(folder)}
        process = subprocess.Popen(
            # A shell without job control starts what is in its background with SIGINT ignored, which is passed on.
            ["env", "--default-signal=INT", str(ROOT / "bin/demo"), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, env=environment,
        )  # fmt: skip
        begun.append(Demo(folder, process))
        return begun[-1]

    yield starting
    for one in begun:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGTERM)
        if one.process.stdout and not one.process.stdout.closed:
            one.process.communicate()


async def test_once_it_ends_with_the_proof_that_nothing_is_left(start: Callable[..., Demo]) -> None:
    demo = start("--once", width=60)
    assert await demo.ends() == 0, demo.said
    assert "7/7 Nothing is left" in demo.said
    assert ", 0 failed" in demo.said
    assert "╭─ revieee-bot" in demo.said, "the comment is shown"
    assert [line for line in demo.said.splitlines() if len(line.rstrip()) > 60] == []
    assert await demo.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_in_the_middle_removes_all_that_was_made(
    start: Callable[..., Demo], number: signal.Signals
) -> None:
    demo = start()
    await demo.until("Pull request")
    demo.process.send_signal(number)
    assert await demo.ends() == 130, demo.said
    assert await demo.left() == []


async def test_left_up_it_shows_addresses_that_answer_and_goes_on_a_signal(start: Callable[..., Demo]) -> None:
    demo = start()
    await demo.until("Ctrl-C")
    end = demo.said.rpartition("Everything stays up")[2].split()
    urls = [word for word in end if word.startswith("http://")]
    assert len(urls) == 3
    for url in urls:
        ended = await call("curl", "--silent", "--fail", "--noproxy", "*", "--output", os.devnull, "--", url)
        assert ended.code == 0, url
    assert await demo.left() != []
    demo.process.send_signal(signal.SIGTERM)
    assert await demo.ends() == 0, demo.said
    assert await demo.left() == []


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["-h"], 0), (["--twice"], 2), (["--once", "x"], 2)])
def test_how_it_is_called(arguments: list[str], code: int) -> None:
    ended = subprocess.run([ROOT / "bin/demo", *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert "bin/demo" in ended.stdout + ended.stderr
