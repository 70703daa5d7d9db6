"""A local bare mirror of one repository: fetched incrementally, one writer at a time, healed after a crash.

The lock (:mod:`revieee.clients.lock`) ends with its process and holds between processes. Whoever has it is the only
writer, so lock files and half-written packs that lie about were left by someone who was killed, or hangs.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from revieee.clients.git import git
from revieee.clients.lock import Lock, holding
from revieee.clients.process import Ended, run
from revieee.ports import RetryLater

_SIZE_POLL = 0.2
_MANY_PACKS = 24
"""A fetch adds a pack; beyond this many the small ones are put together."""


class TooLarge(Exception):
    """The mirror grew over its limit; what was fetched is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One fetch: from where, what, with which settings."""

    url: str
    refspecs: tuple[str, ...]
    settings: Mapping[str, str]


class Mirror:
    """One bare repository at ``path``.

    Args:
        path: its folder; made when first needed.
        limit: the most bytes it may take.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self._limit = limit
        self._here = asyncio.Lock()
        self._lock: Lock | None = None

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[bool]:
        """Be the only writer, in this and every other process; whole and clean when entered.

        Gives whether another one wrote while we waited.
        """
        waited = self._here.locked()
        async with self._here:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            async with holding(Path(f"{self.path}.lock")) as (self._lock, elsewhere):
                await self._make()
                await asyncio.to_thread(_heal, self.path)
                yield waited or elsewhere

    async def resolve(self, *names: str) -> tuple[str | None, ...]:
        """Give the hashes that these names have, None for what is not there.

        Args:
            names: ours: full hashes, and refs that we named; no name with a space or line end.
        """
        if not self.path.is_dir():
            return (None,) * len(names)
        asked = git("cat-file", "--batch-check=%(objectname)", git_dir=self.path)
        ended = await run(replace(asked, stdin="".join(f"{name}\n" for name in names).encode()))
        lines = ended.output.decode().splitlines() if ended.good else []
        found = [None if line.endswith((" missing", " ambiguous")) else line for line in lines]
        return (*found, *[None] * (len(names) - len(found)))

    async def fetch(self, wanted: Wanted) -> Ended:
        """Fetch, inside :meth:`writing`.

        Raises:
            TooLarge: the mirror is over its limit now. It was removed, so that the next fetch starts from nothing.
        """
        command = git(
            "fetch",
            "--quiet",
            "--force",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--",
            wanted.url,
            *wanted.refspecs,
            git_dir=self.path,
            settings=wanted.settings,
        )
        watching = asyncio.create_task(self._over_limit())
        fetching = asyncio.create_task(run(command))
        try:
            await asyncio.wait({watching, fetching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (watching, fetching):
                if not task.done():
                    task.cancel()
            await asyncio.gather(watching, fetching, return_exceptions=True)
        if watching.cancelled() and _size(self.path) <= self._limit:
            await self._pack()
            return fetching.result()
        await self.remove()
        raise TooLarge

    async def run(
        self, *arguments: str, environment: Mapping[str, str] | None = None, limit: int = 64_000_000
    ) -> Ended:
        """Run git on it."""
        return await run(git(*arguments, git_dir=self.path, environment=environment), limit=limit)

    @property
    def empty(self) -> bool:
        """Whether nothing was ever fetched."""
        return not any((self.path / "objects" / "pack").glob("*.pack"))

    async def sound(self) -> bool:
        """Tell whether all that our refs reach is there and readable."""
        return (await self.run("fsck", "--connectivity-only", "--no-dangling")).good

    async def remove(self) -> None:
        """Remove it; who reads from it at this moment can go on doing so.

        Raises:
            RetryLater: we were stopped for so long that another process writes it now.
        """
        if self._lock is not None and not self._lock.ours:
            raise RetryLater(f"Another process writes the mirror at {self.path} by now.")
        await asyncio.to_thread(_discard, self.path)

    async def remake(self) -> None:
        """Begin anew with an empty one, inside :meth:`writing`."""
        await self.remove()
        await self._make()

    async def _make(self) -> None:
        if self.path.is_dir():
            return
        with tempfile.TemporaryDirectory(dir=self.path.parent, prefix=".new-") as folder:
            fresh = Path(folder) / "mirror"
            ended = await run(git("init", "--quiet", "--bare", "--template=", "--", str(fresh)))
            if not ended.good:
                raise OSError(ended.errors.decode(errors="replace").strip())
            fresh.rename(self.path)

    async def _over_limit(self) -> None:
        while await asyncio.to_thread(_size, self.path) <= self._limit:  # noqa: ASYNC110  # git tells no size
            await asyncio.sleep(_SIZE_POLL)

    async def _pack(self) -> None:
        if len(list((self.path / "objects" / "pack").glob("*.pack"))) > _MANY_PACKS:
            await self.run("repack", "--quiet", "-d", "--geometric=2")


def _heal(path: Path) -> None:
    """Remove what a killed writer left; nobody else writes now."""
    for pattern in ("*.lock", "refs/**/*.lock", "objects/pack/tmp_*", "objects/pack/*.lock", "objects/??/tmp_obj_*"):
        for left in path.glob(pattern):
            left.unlink(missing_ok=True)
    for left in path.parent.glob(".gone-*"):
        shutil.rmtree(left, ignore_errors=True)


def _discard(path: Path) -> None:
    with suppress(FileNotFoundError):
        grave = Path(tempfile.mkdtemp(dir=path.parent, prefix=".gone-"))
        path.rename(grave / path.name)
        shutil.rmtree(grave, ignore_errors=True)


def _size(path: Path) -> int:
    """Give the bytes of all packs, the one being written included; loose objects are not made (see clients.git)."""
    total = 0
    with suppress(FileNotFoundError), os.scandir(path / "objects" / "pack") as found:
        for entry in found:
            with suppress(FileNotFoundError):
                total += entry.stat().st_size
    return total
