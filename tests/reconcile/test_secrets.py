"""Secrets on their way to a release: its own code gets them, a stranger's never, and a new value is a new service."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from revieee.engines.docker.container import judge, read
from revieee.engines.memory.world import Behaviour
from revieee.model.environment import Environment
from revieee.model.image import Image
from revieee.model.phases import Phase
from revieee.model.resolve import Task
from revieee.model.stack import Service
from revieee.ports import RetryLater
from revieee.reconcile.loop import Reconciler
from revieee.reconcile.parts import Turn
from revieee.reconcile.tick import KEEP_LOGS, tick
from revieee.store import leases, secrets, wishes
from revieee.store.leases import Lease
from revieee.store.vault import Vault
from support.reconciling import REPOSITORY, Plane, facts, plane

VALUE = "hunter22hunter22"
IMAGE = Image(id="sha256:aa", reference="x")
LONG = "\n".join(base64.b64encode(bytes([n] * 48)).decode() for n in range(50))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Plane]:
    made = plane(tmp_path)
    vault = Vault((), tmp_path / "secret.key")
    vault.make()
    parts = replace(made.parts, vault=vault)
    made.wish(facts(9, minute=-9, open=False))  # by which the repository is known
    yield replace(made, parts=parts, reconciler=Reconciler(parts))
    made.database.close()


def put(one: Plane, value: str, name: str = "TOKEN") -> None:
    data = one.parts.vault.seal(REPOSITORY.id, name, value)
    one.database.run_here(lambda session: secrets.put(session, REPOSITORY.id, name, data, now=one.clock.now()))


def content(folder: Path) -> bytes:
    """Give all that the store has on disk."""
    return b"".join(one.read_bytes() for one in folder.glob("store.db*"))


def turn(one: Plane, environment: Environment) -> Turn:
    sealed = one.database.read_here(lambda session: secrets.sealed(session, REPOSITORY.id))
    lease = Lease(environment=environment.id, token=1)
    return Turn(parts=one.parts, lease=lease, environment=environment, secrets=one.parts.vault.secrets(sealed))


def keys(environment: Environment) -> Mapping[str, str]:
    assert environment.live is not None
    assert environment.live.stack is not None
    return {task.service.name: task.key for task in environment.live.stack.tasks}


async def test_a_new_value_starts_the_services_again_with_the_next_release(shop: Plane) -> None:
    before = keys(await shop.settle(facts(1)))
    put(shop, VALUE)
    after = keys(await shop.settle(facts(2, minute=1)))
    assert before["db"] != after["db"]
    assert keys(await shop.settle(facts(3, minute=2)))["db"] == after["db"], "nothing of it changed"
    put(shop, VALUE)
    assert keys(await shop.settle(facts(4, minute=3)))["db"] != after["db"]


async def test_nothing_of_it_is_in_the_store_but_sealed(shop: Plane, tmp_path: Path) -> None:
    put(shop, VALUE)
    await shop.settle(facts(1))
    assert VALUE.encode() not in content(tmp_path)


def remove(one: Plane) -> None:
    now = one.clock.now()
    one.database.run_here(lambda session: wishes.remove_repository(session, REPOSITORY.id, "Gone.", now=now))


async def test_a_repository_that_was_removed_and_comes_back_has_its_secrets(shop: Plane) -> None:
    put(shop, VALUE)
    await shop.settle(facts(1))
    remove(shop)
    assert (await shop.settle()).live is None
    shop.clock.time += KEEP_LOGS
    await tick(shop.parts)
    now = shop.clock.now()
    shop.database.run_here(lambda session: wishes.record_repository(session, REPOSITORY, now=now))
    environment = await shop.settle(facts(2, minute=1))
    assert environment.live is not None
    assert turn(shop, environment).placement(environment.live).secrets == (("TOKEN", VALUE),)


async def test_a_repository_that_stays_away_has_none_in_time(shop: Plane) -> None:
    put(shop, VALUE)
    await shop.settle(facts(1))
    remove(shop)
    await shop.settle()
    shop.clock.time += KEEP_LOGS + 1
    await tick(shop.parts)
    assert not shop.database.read_here(secrets.any_)


async def test_only_the_repository_s_own_code_is_given_any(shop: Plane) -> None:
    put(shop, VALUE)
    environment = await shop.settle(facts(1))
    assert environment.live is not None
    own = turn(shop, environment)
    assert own.placement(environment.live).secrets == (("TOKEN", VALUE),)
    assert VALUE not in repr(own.placement(environment.live))
    stranger = replace(environment.live, trusted=False)
    assert own.placement(stranger).secrets == ()
    assert own.given(stranger).version == ""
    assert turn(shop, replace(environment, trusted=False)).placement(environment.live).secrets == ()


async def test_what_a_failure_says_shows_none(shop: Plane) -> None:
    put(shop, VALUE)
    shop.builder.fails = f"step 3 printed {VALUE[:9]}\n{VALUE[9:]} and failed"
    environment = await shop.settle(facts(1))
    assert environment.newest is not None
    assert environment.newest.phase is Phase.ENDED
    assert environment.newest.reason == "step 3 printed *** and failed"


async def test_what_is_tried_again_is_in_the_log_once_and_shows_none(
    shop: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    put(shop, VALUE)
    shop.source.fault = RetryLater(f"The forge did not answer: {VALUE}.")
    shop.wish(facts(1))
    for _ in range(3):
        await shop.reconciler.settle()
        shop.clock.time += 60
    assert shop.environment().attempts == 3
    assert caplog.text.count("acme/shop#1: fetching: The forge did not answer: ***.") == 1


async def test_without_its_key_a_release_waits_with_the_reason_and_a_close_does_not(shop: Plane) -> None:
    put(shop, VALUE)
    file = next(iter(shop.parts.data.glob("secret.key")))
    kept = file.read_bytes()
    file.unlink()
    shop.wish(facts(1))
    await shop.reconciler.settle()
    waiting = shop.environment()
    assert "secret key" in waiting.waiting_for
    assert await shop.keys() == set()
    file.write_bytes(kept)
    file.chmod(0o600)
    assert (await shop.settle()).live is not None
    file.unlink()
    assert (await shop.settle(facts(1, minute=5, open=False))).placed is False
    assert await shop.keys() == set()
    assert not shop.database.run_here(leases.owners)


ENCODED = base64.encodebytes(LONG.encode()).decode().strip().split("\n")


@pytest.mark.parametrize(
    ("value", "lines", "more"), [(VALUE, [VALUE[:5], VALUE[5:]], 49), (LONG, ENCODED, 20)], ids=["short", "long"]
)
async def test_a_secret_that_began_before_the_last_lines_of_a_failed_service_is_masked(
    shop: Plane, value: str, lines: list[str], more: int
) -> None:
    put(shop, value)
    shop.world.script("postgres:16", Behaviour(exits=1, log="\n".join(["begins", *lines, *["more"] * more, ""])))
    environment = await shop.settle(facts(1))
    assert environment.newest is not None
    shown = environment.newest.log_tail
    assert shown.count("more\n") == more
    assert [line for line in lines if line in shown] == []


TOKEN = f"github_pat_{hashlib.sha512(b'1').hexdigest()[:82]}"


@pytest.mark.parametrize("value", [TOKEN, f"pässwörd-{VALUE}", f"{TOKEN}\n{TOKEN[::-1]}\n{TOKEN.upper()}"])
async def test_no_letter_of_a_secret_is_in_the_words_of_a_healthcheck_that_docker_cut(shop: Plane, value: str) -> None:
    put(shop, value)
    mine = turn(shop, await shop.settle(facts(1)))
    for left in range(1, min(200, len(value.encode()))):
        output = ("x" * (4095 - left) + " " + value).encode()[:4096].decode(errors="replace") + "..."
        health = {"Status": "unhealthy", "Log": [{"ExitCode": 1, "Output": output}]}
        body = {"Id": "c", "Name": "x", "Config": {}, "State": {"Status": "running", "Health": health}}
        seen = judge(Task(key="web", service=Service(name="web"), image=IMAGE), read(body), now=1.0, settle=2.0)
        assert mine.words_of(seen).strip("… *").endswith("x"), left


async def test_an_engine_s_words_are_cut_when_they_are_masked(shop: Plane) -> None:
    put(shop, VALUE)
    said = f"begins {VALUE} {'x ' * 900}{VALUE}{'y' * 395}"
    shop.world.script("postgres:16", Behaviour(healthy_after=None, words=said))
    environment = await shop.settle(facts(1))
    assert environment.newest is not None
    assert "begins *** x" in environment.newest.reason
    assert f"***{'y' * 395}" in environment.newest.reason
    assert len(environment.newest.reason) < 600
    assert not any(VALUE[at : at + 4] in environment.newest.reason for at in range(len(VALUE) - 3))
