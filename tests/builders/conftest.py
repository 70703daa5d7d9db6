"""A builder on the real engine, and checkouts to build. Images that a test makes are removed after it."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from revieee.builders.buildkit import BuilderOptions, BuildKitBuilder
from revieee.model.image import Image
from revieee.model.stack import Build
from revieee.ports import BuildRequest
from support.docker import BaseImages, docker


class Yard:
    """Builds checkouts with one builder and keeps what they wrote.

    In a Dockerfile, BASE is a base image, and FRESH the same without what an earlier run of the tests left in the cache
    (whose steps write nothing).
    """

    def __init__(self, folder: Path, base: str) -> None:
        self.folder = folder
        self.base = base
        self.instance = f"test-{uuid4().hex[:8]}"
        # A registry that is not there may be asked: the tests of registries have others.
        self.options = BuilderOptions(instance=self.instance, registries=("127.0.0.1:1",))
        self.output = b""
        self._builders: list[BuildKitBuilder] = []

    def builder(self, **options: object) -> BuildKitBuilder:
        self._builders.append(BuildKitBuilder(replace(self.options, **options)))  # type: ignore[arg-type]  # as given
        return self._builders[-1]

    def files(self, files: Mapping[str, str]) -> None:
        for path, content in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            fresh = re.sub(r"FROM FRESH(.*)\n", rf"FROM BASE\1\nENV TEST={self.instance}\n", content)
            (self.folder / path).write_text(fresh.replace("BASE", self.base))

    def request(self, text: str = "", *, scope: str = "a", refresh: bool = False, **build: object) -> BuildRequest:
        """Asks for a build of `Dockerfile` with this content (empty: of the files as they are)."""
        if text:
            self.files({"Dockerfile": text})
        return BuildRequest(
            environment=7,
            folder=self.folder,
            build=Build(**build),  # type: ignore[arg-type]  # as given
            tags=(f"revieee-{self.instance}/acme/shop/web:main",),
            cache_scope=f"{self.instance}{scope}",
            refresh=refresh,
        )

    async def write(self, chunk: bytes) -> None:
        self.output += chunk

    async def build(self, text: str = "", **how: object) -> Image:
        return await self.builder().build(self.request(text, **how), self.write)  # type: ignore[arg-type]  # as given

    async def close(self) -> None:
        for one in self._builders:
            await one.close()
        made = docker("images", "--quiet", "--no-trunc", f"--filter=label=revieee.instance={self.instance}").split()
        if made:
            docker("rmi", "--force", *dict.fromkeys(made))


@pytest.fixture
async def yard(base_images: BaseImages, tmp_path: Path) -> AsyncIterator[Yard]:
    folder = tmp_path / "checkout"
    folder.mkdir()
    one = Yard(folder, base_images.busybox)
    yield one
    await one.close()


@pytest.fixture
def process_with() -> Callable[[str], bool]:
    """Tells whether a process with this word among its arguments runs."""

    def ask(word: str) -> bool:
        for place in Path("/proc").glob("[0-9]*"):
            try:
                words = (place / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if word.encode() in words and b"build" not in words:
                return True
        return False

    return ask
