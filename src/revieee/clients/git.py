"""The git program, told nothing by anyone but us.

Renders commands as values. Nobody's settings take part (``GIT_CONFIG_NOSYSTEM``, ``GIT_CONFIG_GLOBAL``), no hook or
filter runs, no protocol but HTTP is spoken, redirects are not followed (they would carry the credentials to another
host), and what a server sends is checked. Settings, credentials among them, go through the environment
(``GIT_CONFIG_COUNT``, git-config(1)), which only this user and root can read, never through arguments or files.
"""

import base64
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from revieee.clients.process import Command

_HARMLESS = (
    "badTimezone",
    "zeroPaddedFilemode",
    "missingSpaceBeforeDate",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeEmail",
    "badEmail",
    "badName",
    "zeroPaddedDate",
)
"""Faults that old, well-known repositories have in their history, and that can hurt nobody (git-fsck(1))."""

_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "core.logAllRefUpdates": "false",
    "core.symlinks": "true",
    "core.quotePath": "false",
    "credential.helper": "",
    "protocol.version": "2",
    "protocol.allow": "never",
    "protocol.http.allow": "always",
    "protocol.https.allow": "always",
    "http.followRedirects": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "fetch.fsckObjects": "true",
    # A pack appears whole or not at all; loose objects of a killed fetch would pass for a commit with all its files.
    "fetch.unpackLimit": "1",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.detachedHead": "false",
} | {f"fetch.fsck.{fault}": "ignore" for fault in _HARMLESS}

_PASSED_ON = (
    "PATH",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of ``git ls-tree``; ``size`` is None for what is no file."""

    mode: str
    object_id: str
    path: str
    size: int | None = None

    @property
    def submodule(self) -> bool:
        """Whether it is another repository's commit."""
        return self.mode == "160000"


def git(
    *arguments: str,
    git_dir: Path | None = None,
    settings: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Command:
    """Render one call of git.

    Args:
        arguments: after ``git``; what comes from outside stands behind ``--`` or is a full hash.
        git_dir: the repository.
        settings: further settings, such as the credentials of :func:`authorization`.
        environment: further variables: ``GIT_INDEX_FILE``, ``GIT_WORK_TREE``.
        timeout: seconds.
    """
    return Command(
        arguments=("git", *([f"--git-dir={git_dir}"] if git_dir else []), *arguments),
        environment=surroundings(settings or {}) | dict(environment or {}),
        timeout=timeout,
    )


def surroundings(settings: Mapping[str, str]) -> dict[str, str]:
    """Give all that git sees of the environment."""
    ours = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    fixed = {
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }
    pairs = {**_SETTINGS, **settings}
    counted = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for number, (key, value) in enumerate(pairs.items()):
        counted |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return ours | fixed | counted


def authorization(url: str, credentials: tuple[str, str] | None) -> dict[str, str]:
    """Give the setting that signs in at ``url`` and below, and nowhere else (git-config(1), ``http.extraHeader``)."""
    if credentials is None:
        return {}
    return {f"http.{url}.extraHeader": f"Authorization: {basic(credentials)}"}


def basic(credentials: tuple[str, str]) -> str:
    """Write user and password as HTTP wants them (RFC 7617)."""
    return "Basic " + base64.b64encode(":".join(credentials).encode()).decode("ascii")


def entries(listing: bytes) -> Iterator[Entry]:
    """Read the output of ``git ls-tree -z``, with or without ``--long``."""
    for line in listing.split(b"\0"):
        head, tab, path = line.partition(b"\t")
        if not tab:
            continue
        mode, _kind, object_id, *size = head.split()
        yield Entry(
            mode=mode.decode(),
            object_id=object_id.decode(),
            path=os.fsdecode(path),
            size=int(size[0]) if size and size[0] != b"-" else None,
        )


def setting_pairs(listing: bytes) -> Iterable[tuple[str, str]]:
    """Read the output of ``git config -z --get-regexp``."""
    for line in listing.split(b"\0"):
        key, newline, value = line.partition(b"\n")
        if newline:
            yield os.fsdecode(key), os.fsdecode(value)
