"""A close wins on real parts, whatever is under way; so does a reopening, and the last of many pushes.

All of it happens at the same time, under one control plane.
"""

import asyncio
import sqlite3
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, closing

import pytest
import pytest_asyncio

from revieee.testing.serving import ControlPlane, until
from support.plane import PAGE, Files, Opened, Plane, gone, page, runs

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SOON = 15.0
"""Seconds in which a close has taken everything away, on a busy machine."""
NEVER = 300
"""Seconds that nothing here takes, unless nobody ends it."""
PUSHES, STORM = 50, 10.0
"""How many pushes come in how many seconds."""

CLONE = "clone"
SICK = f'healthcheck: {{test: ["CMD", "false"], interval: 1s, retries: {NEVER}}}'
WEB = """
services:
  web:
    build: .
    ports: ["80"]
    volumes: ["notes:/notes"]
    {more}
volumes:
  notes:
"""
WAITING = f"""
    depends_on: {{db: {{condition: service_healthy}}}}
  db:
    image: busybox
    command: sleep {NEVER}
    {SICK}
"""
NOTING = 'command: sh -c "[ -e /notes/id ] || echo $$RANDOM$$RANDOM >/notes/id; exec httpd -f -p 80 -h /notes"'
ENDLESS = """RUN mkdir /www/cgi-bin && cd /www/cgi-bin && echo "#!/bin/sh" >wait && chmod +x wait && \\
  echo "echo; echo begun; exec sleep 300" >>wait
"""
"""A page that does not come to its end."""

Amid = Callable[[Plane, AsyncExitStack], Awaitable[Opened]]
"""Opens a pull request and gives it when what it is about is under way; what is to end later is put on the stack."""


def app(text: str, more: str = "", **hooks: str) -> Files:
    """A web server with a volume, more keys of its service and hooks."""
    lines = [f"  {name}: {command}\n" for name, command in hooks.items()]
    return page(text) | {
        "compose.yaml": WEB.format(more=more),
        "revieee.yml": "".join(["hooks:\n", *lines]) if lines else "start_timeout: 2m\n",
    }


async def there(opened: Opened, service: str) -> None:
    """Wait until a service, or a hook that runs with it, has a container that runs."""

    async def found() -> bool:
        return bool(await opened.containers(service))

    assert await until(found, pause=0.1, seconds=30), opened.plane.control.tail()


async def creating(plane: Plane, _: AsyncExitStack) -> Opened:
    opened = await plane.open("hook", app("never", create=f"sleep {NEVER}"))
    await there(opened, "web")
    return opened


async def waiting(plane: Plane, _: AsyncExitStack) -> Opened:
    opened = await plane.open("start", app("never", WAITING))
    await there(opened, "db")
    assert not await opened.containers("web")
    return opened


async def checking(plane: Plane, _: AsyncExitStack) -> Opened:
    opened = await plane.open("health", app("never", SICK))
    await there(opened, "web")
    return opened


async def draining(plane: Plane, stack: AsyncExitStack) -> Opened:
    first = page("first")
    opened = await plane.open("drain", first | {"Dockerfile": f"{PAGE['Dockerfile']}{ENDLESS}"})
    await opened.reaches("live")
    client = await stack.enter_async_context(plane.control.client(timeout=NEVER))
    url = f"http://127.0.0.1:{plane.control.given.port}/cgi-bin/wait"
    answer = await stack.enter_async_context(client.stream("GET", url, headers={"Host": plane.control.at(opened.host)}))
    assert await anext(answer.aiter_text()) == "begun\n"
    await opened.push({"index.html": "second\n"})
    await opened.reaches("live")
    assert len(await opened.containers()) == 2, "the old one still answers"
    return opened


AMID: Mapping[str, Amid] = {
    "create hook": creating,
    "start": waiting,
    "health check": checking,
    "drain": draining,
}


async def close_amid(plane: Plane, amid: Amid) -> None:
    """Close in the middle of something."""
    async with AsyncExitStack() as stack:
        await closes(await amid(plane, stack))


async def closes(opened: Opened) -> None:
    """Close; soon nothing of it is left."""
    control = opened.plane.control
    began = time.monotonic()
    await opened.close()
    await opened.reaches("gone")
    assert time.monotonic() - began < SOON
    assert len(opened.comments) == 1
    assert not any((await opened.left()).values())
    assert not [line for line in await control.routes() if line.startswith(opened.host)]
    assert not await asyncio.to_thread(runs, f"{opened.pull.repository.full_name}.git".encode())


async def cloned(plane: Plane) -> Opened:
    """Open a pull request whose clone hangs."""
    fault = plane.github.faults.next("hang", "POST git/git-upload-pack")
    opened = await plane.open(CLONE, page("never"))
    await asyncio.wait_for(fault.met.wait(), 20)
    assert await asyncio.to_thread(runs, f"{opened.pull.repository.full_name}.git".encode())

    async def told() -> bool:
        return bool(opened.comments)

    assert await until(told), plane.control.tail()  # else there is nobody to whom it is gone
    return opened


async def reopen(plane: Plane) -> None:
    """Reopen while the `destroy` hook runs: what was is gone first, and all begins anew."""
    opened = await plane.open("reopened", app("", NOTING, destroy="sleep 2"))
    await opened.reaches("live")
    before = (await opened.get("/id")).text
    await opened.close()

    async def removing() -> bool:
        return any("destroy" in name for name in await opened.containers(form="{{.Names}}"))

    assert await until(removing, pause=0.05), plane.control.tail()
    await plane.github.reopen(opened.pull)

    async def anew() -> bool:
        answer = await opened.get("/id")
        return answer.is_success and answer.text != before

    assert await until(anew, seconds=40), plane.control.tail()
    await opened.reaches("live")
    assert len(opened.comments) == 1
    await opened.close()
    await opened.reaches("gone")


def building(text: str) -> Files:
    """An app whose build takes three seconds and says at its end what its command does not."""
    step = f"RUN echo {uuid.uuid4()}; sleep 3; echo over-$((40 + 2))\n"
    return page(text) | {"Dockerfile": f"{PAGE['Dockerfile']}{step}"}


async def storm(plane: Plane) -> None:
    """Push by force again and again: the last commit is live, and hardly anything was built for nothing."""
    opened = await plane.open("storm", building("0"))
    began = time.monotonic()
    for number in range(1, PUSHES + 1):
        await plane.github.force_push(opened.pull, building(f"{number}"))
        await asyncio.sleep(max(0.0, began + number * STORM / PUSHES - time.monotonic()))
    assert time.monotonic() - began < 2 * STORM, "the machine is busy"
    await opened.reaches("live")
    assert (await opened.get()).text == f"{PUSHES}\n"
    assert len(opened.comments) == 1
    assert 1 <= await asyncio.to_thread(ended_builds, plane.control, "acme/storm") <= 2
    await opened.close()
    await opened.reaches("gone")


def ended_builds(control: ControlPlane, repository: str) -> int:
    """Count the releases of a repository whose build came to its end, by what it printed there."""
    (file,) = control.data.glob("*.db")
    query = """
        SELECT COUNT(DISTINCT release.id) FROM log JOIN release ON release.id = log.release_id
        JOIN environment ON environment.id = release.environment_id JOIN repository ON repository.id = repository_id
        WHERE repository.name = ? AND INSTR(log.data, 'over-42')
    """
    with closing(sqlite3.connect(file)) as store:
        (count,) = store.execute(query, (repository,)).fetchone()
        return int(count)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def ended(plane: Plane) -> Mapping[str, BaseException | None]:
    """How everything ended, by name."""
    hanging = await cloned(plane)  # first and alone, since the next clone hangs, whosever it is
    plays = {name: close_amid(plane, amid) for name, amid in AMID.items()}
    plays |= {CLONE: closes(hanging), "reopened": reopen(plane), "storm": storm(plane)}
    return dict(zip(plays, await asyncio.gather(*plays.values(), return_exceptions=True), strict=True))


def ends_well(error: BaseException | None) -> None:
    """Raise what went wrong."""
    if error is not None:
        raise error


@pytest.mark.parametrize("amid", [CLONE, *AMID])
async def test_a_close_wins_amid_it(ended: Mapping[str, BaseException | None], amid: str) -> None:
    ends_well(ended[amid])


async def test_reopened_during_removal_it_ends_live_with_new_volumes(ended: Mapping[str, BaseException | None]) -> None:
    ends_well(ended["reopened"])


async def test_a_storm_of_forced_pushes_ends_on_the_last_one(ended: Mapping[str, BaseException | None]) -> None:
    ends_well(ended["storm"])


@pytest.mark.usefixtures("ended")
async def test_nothing_is_left(plane: Plane) -> None:
    assert await gone(plane) == {}
    assert await plane.control.routes() == []
    assert "Traceback" not in plane.control.log.read_text()
