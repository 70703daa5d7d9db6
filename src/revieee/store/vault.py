"""The vault: seals secrets for the store and opens them again (Fernet: AES-128-CBC with HMAC-SHA256).

The key is read each time it is needed, so that a running control plane follows a rotation.
https://cryptography.io/en/latest/fernet/
"""

import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from revieee.model.secrets import Secrets
from revieee.ports import Fault, Refused
from revieee.store import secrets
from revieee.store.database import Database
from revieee.store.secrets import Sealed

_MOST_BYTES = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Vault:
    """The key, and what it opens.

    Args:
        keys: as text, newest first (``REVIEEE_SECRET_KEY``); empty: they are in the file.
        file: where the keys are otherwise, a line each, newest first.
    """

    def __init__(self, keys: Sequence[str], file: Path) -> None:
        self._given, self._file = tuple(keys), file

    @property
    def absent(self) -> bool:
        """Whether there is no key: none is given, and no file is there."""
        return not self._given and not os.path.lexists(self._file)

    def check(self) -> str:
        """Tell where the key is.

        Raises:
            Fault: there is none, or one that others can read, or a text that is no key.
        """
        self._open()
        return "REVIEEE_SECRET_KEY" if self._given else str(self._file)

    def seal(self, repository: int, name: str, value: str) -> bytes:
        """Seal a value for one name of one repository.

        Raises:
            Fault: there is no key that can be used.
        """
        document = json.dumps([repository, name, value])
        return self._open().encrypt(document.encode())

    def secrets(self, rows: Sequence[Sealed]) -> Secrets:
        """Open what is stored of one repository; the key is not asked for where there is nothing.

        Raises:
            Fault: there is no key that can be used, or it opens none of them.
        """
        if not rows:
            return Secrets()
        fernet = self._open()
        opened = [(row, _value(fernet, row)) for row in rows]
        return Secrets(
            values=tuple((row.name, value) for row, value in opened if not row.retired),
            former=tuple(value for row, value in opened if row.retired),
            version=" ".join(row.token for row in rows if not row.retired),
        )

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let one command at a time seal: a rotation drops no key that another one seals with meanwhile."""
        with self._file.with_name(f"{self._file.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def make(self) -> Path:
        """Make the first key; gives the file.

        Raises:
            Refused: there is one.
        """
        if self._given:
            raise Refused("REVIEEE_SECRET_KEY holds the key. Nothing is to be made.")
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise Refused(f"{self._file} is there. `revieee secret rotate` puts a new key in its place.") from None
        _write(descriptor, [Fernet.generate_key().decode()])
        return self._file

    def rotate(self, database: Database) -> int:
        """Seal everything with a new key and drop the old ones; gives how many secrets there are.

        Stopped at any instant, all can be opened: the old keys go when nothing needs them any more. Keys that are given
        (``REVIEEE_SECRET_KEY``) are the operator's to change: the first one seals, and the others can go then.

        Raises:
            Fault: there is no key that can be used, or a secret that none opens; nothing was changed then.
        """
        with self.alone():
            if not self._given:
                self._replace([Fernet.generate_key().decode(), *self._keys()])
            fernet = self._open()
            try:
                count = database.run_here(lambda session: secrets.seal_again(session, fernet.rotate))
            except InvalidToken:
                raise Fault(f"A secret was sealed with a key that is not in {self.check()}.") from None
            if not self._given:
                self._replace(self._keys()[:1])
            return count

    def _replace(self, keys: Sequence[str]) -> None:
        new = self._file.with_name(f"{self._file.name}.new")
        _write(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), keys)
        new.replace(self._file)

    def _open(self) -> MultiFernet:
        try:
            return MultiFernet([Fernet(key) for key in self._given or self._keys()])
        except ValueError:
            where, away = ("REVIEEE_SECRET_KEY", "unset") if self._given else (self._file, "moved away")
            raise Fault(
                f"{where} holds no key, which is 32 bytes as base64. Once it is {away}, `revieee secret key` makes one."
            ) from None

    def _keys(self) -> list[str]:
        try:
            descriptor = os.open(self._file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            words = "It is made by `revieee secret key`" if isinstance(error, FileNotFoundError) else error.strerror
            raise Fault(f"The key of the secrets, {self._file}, cannot be read. {words}.") from None
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid() or found.st_mode & _OTHERS or not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise Fault(
                f"Others could read or change the key of the secrets, {self._file}: it must be a file of this user "
                f"with mode 0600. Mend it: chown {os.geteuid()} and chmod 600, and rotate the key."
            )
        with os.fdopen(descriptor) as file:
            return file.read(_MOST_BYTES).split()


def _value(fernet: MultiFernet, row: Sealed) -> str:
    try:
        repository, name, value = json.loads(fernet.decrypt(row.data))
    except InvalidToken:
        raise Fault(f"The secret {row.name} was sealed with a key that is not there any more. Set it again.") from None
    if (repository, name) != (row.repository, row.name):  # somebody moved the row
        raise Fault(f"The secret {row.name} was sealed for another repository or name. Set it again.")
    return str(value)


def _write(descriptor: int, keys: Sequence[str]) -> None:
    with os.fdopen(descriptor, "w") as file:
        file.write("".join(f"{key}\n" for key in keys))
        file.flush()
        os.fsync(descriptor)
