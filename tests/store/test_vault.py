"""The vault: what it seals, which keys it takes, and that a rotation can be stopped anywhere."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from revieee.ports import Fault, Refused
from revieee.store import secrets
from revieee.store.database import Database
from revieee.store.vault import Vault
from support.storing import NOW, SHOP, facts, record


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "secret.key"


@pytest.fixture
def vault(file: Path) -> Vault:
    made = Vault((), file)
    made.make()
    return made


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/store.db")
    database.open()
    record(database, facts())
    yield database
    database.close()


def put(database: Database, vault: Vault, name: str, value: str) -> None:
    data = vault.seal(SHOP.id, name, value)
    database.run_here(lambda session: secrets.put(session, SHOP.id, name, data, now=NOW))


def values(database: Database, vault: Vault) -> dict[str, str]:
    return dict(vault.secrets(database.read_here(lambda session: secrets.sealed(session, SHOP.id))).values)


def test_what_was_sealed_is_opened_and_former_values_are_known(database: Database, vault: Vault) -> None:
    put(database, vault, "A", "hunter21")
    first = vault.secrets(database.read_here(lambda session: secrets.sealed(session, SHOP.id)))
    put(database, vault, "A", "hunter22")
    found = vault.secrets(database.read_here(lambda session: secrets.sealed(session, SHOP.id)))
    assert found.values == (("A", "hunter22"),)
    assert found.known == ("hunter22", "hunter21")
    assert found.version not in {"", first.version}


def test_nothing_of_a_value_is_in_the_database(database: Database, vault: Vault, tmp_path: Path) -> None:
    put(database, vault, "A", "hunter22hunter22")
    kept = b"".join(one.read_bytes() for one in tmp_path.glob("store.db*"))
    assert b"gAAAA" in kept
    assert b"hunter22" not in kept


def test_the_key_is_made_once_and_for_its_owner_alone(file: Path, vault: Vault) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    with pytest.raises(Refused, match="rotate"):
        vault.make()
    assert file.read_bytes() == before


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o601, 0o666])
def test_a_key_that_others_could_read_is_refused(file: Path, vault: Vault, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(Fault, match="chmod 600"):
        vault.check()


def test_a_key_of_another_user_is_refused(file: Path, vault: Vault) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(file, 65534, 65534)
    with pytest.raises(Fault, match="chown 0"):
        vault.check()


def test_a_key_behind_a_link_is_refused(file: Path, vault: Vault, tmp_path: Path) -> None:
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Fault):
        vault.check()


def test_no_key_and_what_is_none(file: Path) -> None:
    with pytest.raises(Fault, match="revieee secret key"):
        Vault((), file).check()
    with pytest.raises(Fault, match="REVIEEE_SECRET_KEY holds no key") as caught:
        Vault(("hunter22",), file).check()
    assert "hunter22" not in str(caught.value)
    file.touch(0o600)
    with pytest.raises(Fault, match="holds no key"):
        Vault((), file).check()


def test_without_secrets_no_key_is_asked_for(file: Path) -> None:
    assert Vault((), file).secrets(()).values == ()


def test_a_sealed_value_is_no_other_repository_s_and_no_other_name_s(database: Database, vault: Vault) -> None:
    data = vault.seal(SHOP.id, "A", "hunter22")
    database.run_here(lambda session: secrets.put(session, SHOP.id, "B", data, now=NOW))
    with pytest.raises(Fault, match="another repository or name"):
        values(database, vault)


def test_a_rotation_leaves_the_new_key_alone(database: Database, vault: Vault, file: Path) -> None:
    put(database, vault, "A", "hunter22")
    old = file.read_text().split()
    assert vault.rotate(database) == 1
    (new,) = file.read_text().split()
    assert new not in old
    assert file.stat().st_mode & 0o777 == 0o600
    assert values(database, vault) == {"A": "hunter22"}
    with pytest.raises(Fault, match="not there any more"):
        values(database, Vault(old, file))


class PulledOutError(Exception):
    """The plug."""


@pytest.mark.parametrize("after", range(3))
def test_a_rotation_stopped_anywhere_leaves_all_readable(
    database: Database, vault: Vault, file: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """After the new key was added, after all was sealed anew, before the old key went."""
    put(database, vault, "A", "hunter22")
    acts = 0

    def limited(act: object) -> object:
        def wrapped(*args: object, **how: object) -> object:
            nonlocal acts
            if acts == after:
                raise PulledOutError
            acts += 1
            return act(*args, **how)  # type: ignore[operator] # whatever it takes

        return wrapped

    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", limited(Path.replace))
        broken.setattr(Database, "run_here", limited(Database.run_here))
        with pytest.raises(PulledOutError):
            vault.rotate(database)
    assert values(database, vault) == {"A": "hunter22"}
    assert vault.rotate(database) == 1
    assert len(file.read_text().split()) == 1
    assert values(database, vault) == {"A": "hunter22"}


def test_given_keys_are_rotated_by_putting_a_new_one_in_front(database: Database, file: Path) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    put(database, Vault((old,), file), "A", "hunter22")
    Vault((new, old), file).rotate(database)
    assert values(database, Vault((new,), file)) == {"A": "hunter22"}
    assert not file.exists()


def test_a_rotation_without_the_right_key_changes_nothing(database: Database, file: Path) -> None:
    keys = [Fernet.generate_key().decode() for _ in range(3)]
    put(database, Vault(keys[:1], file), "A", "hunter22")
    with pytest.raises(Fault, match="a key that is not in"):
        Vault(keys[1:], file).rotate(database)
    assert values(database, Vault(keys[:1], file)) == {"A": "hunter22"}
