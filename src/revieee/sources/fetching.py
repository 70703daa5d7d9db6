"""One fetch: what to ask for, and what to make of a fetch that failed."""

import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from revieee.clients.process import Ended
from revieee.ports import Fault, PortError, Refused, RetryLater, Superseded
from revieee.sources.mirror import Mirror, TooLarge, Wanted
from revieee.sources.remote import Remote

_REJECTED = "fsck"
"""What git says of objects that are malformed: "fsck error in packed object" (git-config(1), fetch.fsckObjects)."""
_ROOM = 64_000_000
"""Bytes; with less than this left, a fetch that failed did so for want of room."""

_NO_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]|\.\.|@\{")

Ref = tuple[str, str]
"""Their ref (or a hash), and ours. Ours lie in one folder, whatever theirs are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A commit to have: of a pull request, or (number 0) of the submodule at ``path``."""

    commit: str
    number: int = 0
    base_ref: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is at hand: all of a wish, or not; and the head that the pull request had at the last fetch."""

    complete: bool
    head: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``size``: the most bytes that a mirror may have."""

    size: int


def base_name(base_ref: str) -> str:
    """Name our ref for a base branch. A hash, because theirs may be called anything, and a branch like a folder."""
    return f"refs/revieee/base-{hashlib.sha256(base_ref.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


async def look(mirror: Mirror, wish: Wish) -> Known:
    """Tell what of a wish is at hand.

    A commit that is there has all its files: packs appear whole, see :mod:`revieee.clients.git`.
    """
    names = [f"{wish.commit}^{{tree}}", *([base_name(wish.base_ref)] if wish.base_ref else [])]
    *found, head = await mirror.resolve(*names, _head_name(wish))
    return Known(complete=None not in found, head=head)


def _head_name(wish: Wish) -> str:
    return f"refs/revieee/pull-{wish.number}"


class Fetching:
    """Fetches into one mirror from one remote, inside :meth:`Mirror.writing`."""

    def __init__(self, mirror: Mirror, remote: Remote, limits: Limits) -> None:
        self._mirror = mirror
        self._remote = remote
        self._limits = limits

    async def fetch(self, wish: Wish, before: str | None) -> None:
        """Fetch a commit by the pull request's ref, and by its hash where the ref is another one by now.

        Args:
            wish: what.
            before: the head at the last fetch; one that did not move has not arrived where the forge reads.

        Raises:
            Superseded: the commit is gone.
            Refused: the repository is too large, or has objects that git refuses.
            RetryLater: the forge did not answer, or does not show the commit yet.
            Fault: the credentials are refused, or this machine cannot write.
        """
        refs = _refs(wish)
        shown = await self._fetch_refs(refs) if refs else frozenset[str]()
        known = await look(self._mirror, Wish(commit=wish.commit, number=wish.number))
        if known.complete:
            return
        ended = await self._transfer([(wish.commit, f"refs/revieee/commit-{wish.commit}")])
        if ended.good:
            return
        if await self._remote.refs("HEAD") is None:
            raise await self._complaint(ended)
        raise self._gone(wish, shown, unchanged=before is not None and before == known.head)

    def _gone(self, wish: Wish, shown: frozenset[str], *, unchanged: bool) -> PortError:
        name = self._remote.name
        if not wish.number:
            return Refused(
                f"The submodule {wish.path!r} is at {wish.commit}, which is no commit of {name}. Push it first."
            )
        if unchanged or f"refs/pull/{wish.number}/head" not in shown:
            return RetryLater(f"The forge does not show {wish.commit} of {name}#{wish.number} yet.")
        return Superseded(f"{wish.commit} is no longer a commit of {name}#{wish.number}.")

    async def _fetch_refs(self, refs: list[Ref]) -> frozenset[str]:
        """Fetch refs and give those that the forge has."""
        ended = await self._transfer(refs)
        if ended.good:
            return frozenset(theirs for theirs, _ in refs)
        shown = await self._remote.refs(*(theirs for theirs, _ in refs))
        if shown is None:
            raise await self._complaint(ended)
        left = [ref for ref in refs if ref[0] in shown]
        if len(left) == len(refs) and not await self._mirror.sound():
            await self._mirror.remake()
        if left:
            ended = await self._transfer(left)
            if not ended.good:
                raise await self._complaint(ended)
        return shown

    async def _transfer(self, refs: Sequence[Ref]) -> Ended:
        """Fetch; a mirror that is over its limit through years of use is begun anew once."""
        wanted = Wanted(
            url=self._remote.url,
            refspecs=tuple(f"+{theirs}:{ours}" for theirs, ours in refs),
            settings=self._remote.settings,
        )
        again = not self._mirror.empty
        try:
            return await self._mirror.fetch(wanted)
        except TooLarge as error:
            if not again:
                raise self._too_large() from error
        await self._mirror.remake()
        try:
            return await self._mirror.fetch(wanted)
        except TooLarge as error:
            raise self._too_large() from error

    def _too_large(self) -> Refused:
        megabytes = self._limits.size / 1_000_000
        return Refused(
            f"{self._remote.name} is larger than {megabytes:g} MB, the most that is fetched of a repository."
        )

    async def _complaint(self, ended: Ended) -> PortError:
        """Say why a fetch failed: the forge's reason, this machine's, or the repository's."""
        complaint = await self._remote.complaint()
        if complaint is not None:
            return complaint
        words = ended.errors.decode(errors="replace").strip()
        if ended.code < 0:
            return RetryLater(f"git was ended while fetching {self._remote.name}.")
        if shutil.disk_usage(self._mirror.path.parent).free < _ROOM:
            return Fault(f"No room is left for the mirror of {self._remote.name}: {words}")
        if _REJECTED in words:
            return Refused(f"git does not take what {self._remote.name} gives: {words}")
        # The forge shows its refs and broke off when it was to send them: that passes.
        return RetryLater(f"Fetching {self._remote.name} broke off: {words}")


def _refs(wish: Wish) -> list[Ref]:
    if not wish.number:
        return []
    refs = [(f"refs/pull/{wish.number}/head", _head_name(wish))]
    if _is_branch(wish.base_ref):
        refs.append((f"refs/heads/{wish.base_ref}", base_name(wish.base_ref)))
    return refs


def _is_branch(name: str) -> bool:
    """Tell whether this can name a branch (git-check-ref-format(1)), so that it is no pattern and no second refspec."""
    parts = name.split("/")
    return (
        not _NO_BRANCH.search(name)
        and not name.endswith(".")
        and all(part and not part.startswith(".") and not part.endswith(".lock") for part in parts)
    )
