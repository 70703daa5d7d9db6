"""The forge's side of a fetch: addresses, and why one failed.

Git ends with code 128 whatever went wrong, and its words are for people. So a fetch that failed is looked into by two
questions whose answers are data: ``git ls-remote --exit-code`` (0: refs, 2: none of these) and, where that fails too,
the HTTP status of the same address.
"""

from dataclasses import dataclass

import httpx

from revieee.clients.certificates import authorities
from revieee.clients.git import authorization, basic, git
from revieee.clients.process import run
from revieee.model.names import repository_name
from revieee.ports import Fault, PortError, RetryLater

_PROBE_TIMEOUT = 20.0
_SERVER_ERROR = 500
_NO_REFS = 2
_ASK_LATER = (408, 425, 429)
_NO_ACCESS = (401, 403, 404)


class NoAccess(Fault):
    """What we are there, if anybody, cannot read it: it is private, gone, or has another name by now."""


@dataclass(frozen=True, slots=True, repr=False)
class Remote:
    """One repository on the forge. Not printable, because of the credentials."""

    base: str
    name: str
    credentials: tuple[str, str] | None

    def __post_init__(self) -> None:
        repository_name(self.name)

    @property
    def url(self) -> str:
        """Its address, without credentials."""
        return f"{self.base.rstrip('/')}/{self.name}.git"

    @property
    def settings(self) -> dict[str, str]:
        """What signs git in there."""
        return authorization(self.url, self.credentials)

    async def refs(self, *names: str) -> frozenset[str] | None:
        """Ask which of these refs there are; None where the forge did not say."""
        command = git(
            "ls-remote", "--exit-code", "--", self.url, *names, settings=self.settings, timeout=_PROBE_TIMEOUT
        )
        ended = await run(command)
        if ended.code not in (0, _NO_REFS):
            return None
        found = (line.partition("\t")[2] for line in ended.output.decode(errors="replace").splitlines())
        return frozenset(found) & frozenset(names)

    async def complaint(self) -> PortError | None:
        """Ask why nothing can be fetched; None where the forge answers as it should."""
        headers = {"Authorization": basic(self.credentials)} if self.credentials else {}
        address = f"{self.url}/info/refs?service=git-upload-pack"
        try:
            async with (
                httpx.AsyncClient(timeout=_PROBE_TIMEOUT, follow_redirects=False, verify=authorities()) as client,
                client.stream("GET", address, headers=headers) as response,
            ):
                return _meaning(self.name, response.status_code, response.headers.get("Retry-After", ""))
        except httpx.HTTPError as error:
            return RetryLater(f"The forge did not answer at {self.base}: {str(error) or type(error).__name__}.")


def _meaning(name: str, status: int, retry_after: str) -> PortError | None:
    if status in _NO_ACCESS and not retry_after:  # with it, 403 is GitHub's way to say "too often"
        return NoAccess(
            f"The token cannot read {name} (HTTP {status}). Check that the repository exists and that the token, or "
            "the GitHub App, has read access to its contents."
        )
    if retry_after or status in _ASK_LATER or status >= _SERVER_ERROR:
        delay = float(retry_after) if retry_after.isdigit() else None
        return RetryLater(f"The forge cannot give {name} now (HTTP {status}).", delay=delay)
    if httpx.codes.is_redirect(status):
        return NoAccess(f"{name} has moved: it was renamed or transferred. `revieee sync` asks for its new name.")
    if not httpx.codes.is_success(status):
        return Fault(f"The forge did not give {name} (HTTP {status}). Check REVIEEE_GITHUB_URL.")
    return None
