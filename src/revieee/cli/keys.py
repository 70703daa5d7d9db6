"""What ``doctor`` and ``serve`` say of keys: that of the secrets, and the GitHub App's."""

import stat
from collections.abc import Iterator
from pathlib import Path

from revieee.ports import Fault, Finding, Severity
from revieee.settings import Settings
from revieee.wiring import open_vault

_SUBJECT = "secret key"


def secret_key(settings: Settings, *, needed: bool) -> Finding:
    """Look at the key of repositories' secrets.

    Args:
        settings: that say where it is.
        needed: whether secrets are stored.
    """
    vault = open_vault(settings)
    if vault.absent and not needed and settings.secret_key_file is None:
        words = "there is none, and no secret that needs one: `revieee secret key` makes it"
        return Finding(subject=_SUBJECT, severity=Severity.GOOD, words=words)
    try:
        where = vault.check()
    except Fault as error:
        mend = "Until that is mended no repository can be given a secret."
        if needed:
            mend = "Bring the key back, or set the secrets again. `revieee serve` does not start without it."
        return Finding(subject=_SUBJECT, severity=Severity.BAD, words=str(error), mend=mend)
    return Finding(subject=_SUBJECT, severity=Severity.GOOD, words=f"it is in {where}")


def app_key(settings: Settings) -> Iterator[Finding]:
    """Warn of a GitHub App's key in a file that others can read."""
    value = settings.github_private_key.get_secret_value()
    if not value or "-----BEGIN" in value:
        return
    file = Path(value)
    try:
        open_to_all = file.stat().st_mode & stat.S_IRWXO
    except (OSError, ValueError):  # the latter of a NUL
        return  # to read it is what tells of that
    if open_to_all:
        words = f"Everyone on this machine could read or change the App's key, {file}."
        mend = f"chmod 600 {file}, and make another key at GitHub if anyone might have read it"
        yield Finding(subject="App's key", severity=Severity.WARNING, words=words, mend=mend)
