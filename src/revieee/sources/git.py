"""The source: commits of pull requests by ``refs/pull/N/head``, from local mirrors that are fetched incrementally."""

import asyncio
import hashlib
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from revieee.clients.git import entries, git
from revieee.clients.process import TooMuchOutput, run
from revieee.model.desire import covers
from revieee.model.facts import RepositoryFacts
from revieee.ports import Fault, Finding, Refused, RetryLater, Severity
from revieee.sources.fetching import Fetching, Limits, Wish, base_name, look
from revieee.sources.mirror import Mirror
from revieee.sources.remote import NoAccess, Remote
from revieee.sources.snapshot import snapshot
from revieee.sources.submodules import Submodule, submodules
from revieee.sources.tree import GitTree, Root

__all__ = ["GitSource", "SourceOptions", "snapshot"]

Credentials = Callable[[RepositoryFacts], Awaitable[tuple[str, str] | None]]
"""Gives (user, password) for a repository; a submodule's facts have the id 0."""


async def _nobody(_: RepositoryFacts) -> None:
    """Sign in nowhere."""


_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_VERSION = re.compile(r"(\d+)\.(\d+)")
_OLDEST = (2, 30)
_DEPTH = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """What a source is given."""

    folder: Path
    """Where the mirrors lie; ours alone."""
    url: str = "https://github.com"
    """``REVIEEE_GITHUB_URL``: repositories are at ``<url>/<owner>/<repository>.git``."""
    credentials: Credentials
    submodules: tuple[str, ...] = ()
    """``REVIEEE_SUBMODULES``: patterns of the submodules that are fetched with our credentials; all others without."""
    size_limit: int = 2_000_000_000
    """Bytes that a mirror, and that a checkout, may have."""
    file_limit: int = 200_000
    """Files that a checkout may have, submodules included."""
    timeout: float = 600.0
    """Seconds that a fetch may take."""


class GitSource:
    """Commits as trees of files, by the git program (:class:`revieee.ports.Source`)."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options
        self._mirrors: dict[str, Mirror] = {}

    async def fetch(self, repository: RepositoryFacts, number: int, commit: str, *, base_ref: str = "") -> None:
        """Have exactly this commit of the pull request, and the tip of ``base_ref``, at hand.

        Asks nobody where both are there already.

        Raises:
            Superseded: the pull request's head is another one by now and the commit is gone.
            Refused: the repository is over the size limit, or has submodules of other hosts, or private ones.
            RetryLater: the forge did not answer, or does not show the commit yet.
            Fault: the forge refused our credentials, or this machine lacks something.
        """
        wish = Wish(number=number, commit=_checked(commit), base_ref=base_ref)
        async with _in_words(repository.name, self._options.timeout):
            mirror = self._mirror(repository)
            await self._have(mirror, repository, wish, self._options.credentials)
            await self._have_submodules(mirror, repository, wish.commit, 0)

    async def tree(self, repository: RepositoryFacts, commit: str) -> GitTree:
        """Give the files of a fetched commit, submodules included; close it after use.

        Raises:
            RetryLater: the commit is not at hand.
        """
        mirror = self._mirror(repository)
        modules = await self._modules(mirror, repository.name, _checked(commit))
        return GitTree(Root(mirror.path, commit), {path: Root(one.path, of) for path, (one, of) in modules.items()})

    async def changed_paths(self, repository: RepositoryFacts, base_ref: str, commit: str) -> Sequence[str] | None:
        """Give the paths that the pull request changes (since the merge base), or None where that is unknown."""
        mirror = self._mirror(repository)
        base = (await mirror.run("merge-base", base_name(base_ref), _checked(commit))).output.decode().strip()
        if not base:
            return None
        try:
            ended = await mirror.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", base, commit, "--")
        except TooMuchOutput:
            return None
        names = ended.output.decode("utf-8", "surrogateescape").split("\0")[:-1]
        return names if ended.good else None

    async def checkout(self, repository: RepositoryFacts, commit: str, folder: Path) -> None:
        """Write the files of a fetched commit, submodules included, into an empty folder; links stay links.

        Line ends and encodings follow ``.gitattributes`` as in any clone, so a build sees what its author sees;
        filters (LFS) do not run.

        Raises:
            Refused: the files are over the limits of size or number.
            RetryLater: the commit is not at hand, or the mirror was damaged and is fetched anew next time.
        """
        mirror = self._mirror(repository)
        async with _in_words(repository.name, self._options.timeout):
            modules = await self._modules(mirror, repository.name, _checked(commit))
            parts = {"": (mirror, commit), **modules}  # parents come before what lies in them
            await self._small_enough(repository.name, list(parts.values()))
            # Beside the checkout and under its name, so that it is cleared with it, also after a crash.
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.index-") as scratch:
                for number, (path, (source, wanted)) in enumerate(parts.items()):
                    await self._write(source, wanted, folder / path, index=Path(scratch, str(number)))

    async def forget(self, repository: RepositoryFacts) -> None:
        """Drop all that is kept of a repository; costs nothing where nothing is.

        Raises:
            RetryLater: somebody else is at it for long.
            Fault: it cannot be removed.
        """
        mirror = self._mirror(repository)
        if mirror.path.is_dir():
            async with _in_words(repository.name, self._options.timeout), mirror.writing():
                await mirror.remove()

    async def check(self) -> Sequence[Finding]:
        """Look for git and at the forge's address."""
        try:
            said = (await run(git("--version", timeout=20))).output.decode().strip()
        except FileNotFoundError:
            said = "there is no git program"
        found = _VERSION.search(said)
        good = found is not None and (int(found[1]), int(found[2])) >= _OLDEST
        mend = "" if good else f"Install git {_OLDEST[0]}.{_OLDEST[1]} or later (apt-get install git)."
        severity = Severity.GOOD if good else Severity.BAD
        findings = [Finding(subject="git", severity=severity, words=f"{said}.", mend=mend)]
        if not self._options.url.startswith(("http://", "https://")):
            words = f"{self._options.url!r} is no HTTP address, and git is allowed no other."
            mend = "Set REVIEEE_GITHUB_URL to an address such as https://github.com."
            findings.append(Finding(subject="git", severity=Severity.BAD, words=words, mend=mend))
        return findings

    async def _have(self, mirror: Mirror, repository: RepositoryFacts, wish: Wish, credentials: Credentials) -> None:
        known = await look(mirror, wish)
        if known.complete:
            return
        async with mirror.writing() as waited:
            if waited:  # somebody else's fetch may have brought it
                known = await look(mirror, wish)
            if known.complete:
                return
            remote = Remote(self._options.url, repository.name, await credentials(repository))
            await Fetching(mirror, remote, Limits(size=self._options.size_limit)).fetch(wish, known.head)

    async def _have_submodules(self, mirror: Mirror, repository: RepositoryFacts, commit: str, depth: int) -> None:
        for module in await self._submodules(mirror, repository.name, commit):
            if depth >= _DEPTH:
                raise Refused(f"{repository.name}: submodules lie in submodules more than {_DEPTH} deep.")
            facts = replace(repository, id=0, name=module.repository)
            below = self._module_mirror(module.repository)
            await self._have_module(below, facts, Wish(commit=module.commit, path=module.path))
            await self._have_submodules(below, facts, module.commit, depth + 1)

    async def _have_module(self, mirror: Mirror, facts: RepositoryFacts, wish: Wish) -> None:
        """Fetch a submodule as anybody could, so that naming a repository shows nobody what they may not read.

        Who may write to one repository, or whose fork was approved, need not be able to read others that we can.
        """
        listed = self._listed(facts.name)
        try:
            await self._have(mirror, facts, wish, self._options.credentials if listed else _nobody)
        except NoAccess as error:
            if listed:
                raise Refused(f"The submodule {wish.path!r} cannot be fetched. {error}") from error
            raise Refused(
                f"The submodule {wish.path!r} is {facts.name}, which is private or gone, and only public repositories "
                f"are fetched as submodules. Whoever runs Revieee can allow it: add {facts.name} to REVIEEE_SUBMODULES."
            ) from error

    async def _modules(self, mirror: Mirror, name: str, commit: str) -> dict[str, tuple[Mirror, str]]:
        """Give all submodules, those inside others too, by path; parents first."""
        found: dict[str, tuple[Mirror, str]] = {}
        todo = [("", mirror, name, commit, 0)]
        while todo:
            above, parent, parent_name, parent_commit, depth = todo.pop(0)
            for module in await self._submodules(parent, parent_name, parent_commit):
                below = self._module_mirror(module.repository)
                if depth >= _DEPTH or None in await below.resolve(module.commit):
                    words = f"The submodule {module.path!r} ({module.repository}) is not at hand."
                    raise RetryLater(f"{words} `revieee deploy` makes a new release, which fetches it.")
                path = f"{above}{module.path}"
                found[path] = (below, module.commit)
                todo.append((f"{path}/", below, module.repository, module.commit, depth + 1))
        return found

    async def _submodules(self, mirror: Mirror, name: str, commit: str) -> Sequence[Submodule]:
        with GitTree(Root(mirror.path, commit)) as tree:
            return await submodules(tree, mirror.path, commit, name, self._options.url)

    async def _small_enough(self, name: str, parts: Sequence[tuple[Mirror, str]]) -> None:
        """Refuse a commit whose few objects unfold into more files than a disk or git's memory holds."""
        size = count = 0
        for mirror, commit in parts:
            try:
                ended = await mirror.run("ls-tree", "-r", "-z", "--long", "--full-tree", commit)
            except TooMuchOutput:
                size, count = self._options.size_limit + 1, self._options.file_limit + 1
                break
            for entry in entries(ended.output):
                count += 1
                size += entry.size or 0
        if size > self._options.size_limit or count > self._options.file_limit:
            most = f"{self._options.size_limit} bytes and {self._options.file_limit} files"
            raise Refused(f"The files of {name} are too large or too many: at most {most} are built.")

    async def _write(self, mirror: Mirror, commit: str, folder: Path, *, index: Path) -> None:
        places = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(folder)}
        ended = await mirror.run("read-tree", "--reset", "-u", commit, environment=places)
        if ended.good:
            return
        words = ended.errors.decode(errors="replace").strip()
        if await mirror.sound():
            raise Fault(f"The files of {commit} could not be written to {folder}: {words}")
        async with mirror.writing():
            await mirror.remove()
        raise RetryLater(f"The mirror at {mirror.path} was damaged and is fetched anew: {words}", delay=0)

    def _mirror(self, repository: RepositoryFacts) -> Mirror:
        return self._kept(str(repository.id))

    def _module_mirror(self, name: str) -> Mirror:
        """Give a submodule's mirror: known by name, since nothing tells its id.

        What came with our credentials lies apart, so that it is out of reach once its name is listed no more.
        """
        kind = "module" if self._listed(name) else "public"
        return self._kept(f"{kind}-{hashlib.sha256(name.lower().encode()).hexdigest()[:32]}")

    def _listed(self, name: str) -> bool:
        return covers(self._options.submodules, name)

    def _kept(self, key: str) -> Mirror:
        path = self._options.folder / f"{key}.git"
        return self._mirrors.setdefault(key, Mirror(path, self._options.size_limit))


def _checked(commit: str) -> str:
    if not _HASH.fullmatch(commit):
        raise Refused(f"{commit!r} is no full commit hash.")
    return commit


@asynccontextmanager
async def _in_words(name: str, timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109  # one limit for many calls
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError as error:
        raise RetryLater(f"Fetching {name} took longer than {timeout:g} s.") from error
    except FileNotFoundError as error:
        raise Fault(f"Something that git needs is not there ({error}); `revieee doctor` says more.") from error
    except OSError as error:
        raise Fault(f"The mirror of {name} cannot be written: {error}.") from error
