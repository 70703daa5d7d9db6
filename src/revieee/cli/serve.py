"""``revieee serve``: the control plane."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Collection, Iterator
from functools import partial
from pathlib import Path

import click
import uvicorn

from revieee.cli.errors import told
from revieee.cli.keys import secret_key
from revieee.ports import Fault, PortError, Severity
from revieee.reconcile.owner import Place, take_place
from revieee.reconcile.restored import begin_anew_if_restored
from revieee.settings import Settings, load
from revieee.wiring import ControlPlane, open_database, wire

log = logging.getLogger("revieee")

_AGAIN = 5.0
"""Seconds until a task that failed is begun again."""
_BESIDE = 2.0
"""Seconds between two looks for a control plane beside this one."""
_LOOK = 5.0
"""Seconds after which intake looks for what nobody said: another process's deliveries, what a crash left."""


@click.command()
@told
def serve() -> None:
    """Run the control plane until Ctrl-C or SIGTERM. Environments and nginx go on without it.

    Two may serve one data folder: they share the work, and one stands in for the other.
    """
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    for chatty in ("httpx", "alembic", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # A connection that the database dropped is told of, in words, by whoever used it; this would add a trace.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    settings = load()
    database = open_database(settings)
    try:
        with take_place(settings.data) as place:
            plane = wire(settings, database, place)
            _tell_of_key(settings)
            asyncio.run(run(plane, place))
    finally:
        database.close()


def _tell_of_key(settings: Settings) -> None:
    """Say that no secret can be set; where there are some already, nothing was wired up."""
    found = secret_key(settings, needed=False)
    if found.severity is Severity.BAD:
        log.error("%s %s", found.words, found.mend)


async def run(plane: ControlPlane, place: Place) -> None:
    """Run all tasks of a control plane until a signal asks for its end.

    Raises:
        Fault: the router cannot be started.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    plane.router.prepare()
    server = _Server(_config(plane))
    path = plane.router.options.control_sockets[place.number - 1]
    listening = _listen(path)
    tasks = [asyncio.create_task(server.serve(sockets=[listening]), name="web")]
    try:
        await _open(plane, place)
        click.echo(f"Revieee serves {plane.settings.base_url} (instance {plane.parts.instance}).", err=True)
        await _work(plane, place, tasks, stop)
    finally:
        path.unlink(missing_ok=True)  # nginx asks the other one at once
        server.should_exit = True
        await _end(tasks[1:])
        await asyncio.gather(*tasks, return_exceptions=True)
        await plane.parts.builder.close()
        await plane.parts.engine.close()
        await plane.github.close()


async def _work(plane: ControlPlane, place: Place, tasks: list[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Do everything until a task ends or we are asked to stop; what was begun is added to the tasks."""
    ended = asyncio.create_task(stop.wait())
    tasks.append(asyncio.create_task(begin_anew_if_restored(plane.parts), name="restored"))
    await asyncio.wait({*tasks, ended}, return_when=asyncio.FIRST_COMPLETED)
    if tasks[-1].done():
        tasks.pop().result()
        tasks += _tasks(plane, place)
        await asyncio.wait({*tasks, ended}, return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    for task in tasks:
        if task.done():
            task.result()


def _tasks(plane: ControlPlane, place: Place) -> list[asyncio.Task[None]]:
    """Begin all that a control plane does beside its web app; none waits for another."""
    works: dict[str, Callable[[], Awaitable[None]]] = {
        "intake": Intake(plane).handle,
        "store missed": partial(_store_missed, plane),
        "list new": Lister(plane).handle,
        "approve": Approving(plane).handle,
        "list": partial(_list, plane),
        "take over": Heir(plane, place).handle,
    }
    return [
        asyncio.create_task(plane.reconciler.run(), name="reconcile"),
        asyncio.create_task(plane.teller.run(), name="tell"),
        *(asyncio.create_task(_again(plane, work), name=name) for name, work in works.items()),
    ]


async def _end(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended.

    ``asyncio.wait_for`` before Python 3.12 loses a cancellation that comes with its result (python/cpython#86296).
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN)


async def _open(plane: ControlPlane, place: Place) -> None:
    """Put up the walls and the router; a first start that fails takes away again what it made of the host.

    What another control plane beside us needs stays.

    Raises:
        Fault: one of them cannot be had.
    """
    engine = plane.parts.engine
    await engine.open()
    try:
        await plane.router.ensure()
    except Fault:
        with contextlib.suppress(PortError):
            if place.alone and not await engine.observe_all(plane.parts.instance):
                await engine.uninstall()
        raise


class Intake:
    """Handles deliveries as they come."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._listener = plane.parts.bell.listen()

    async def handle(self) -> None:
        """Handle what is there, or wait for more."""
        if not await self._plane.inbox.handle():
            await self._listener.wait(_LOOK)


class Lister:
    """Lists repositories that came into view, beside the deliveries, none of which waits for the forge."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._listener = plane.parts.bell.listen()

    async def handle(self) -> None:
        """List what came into view, and wait for more."""
        await self._plane.listing.list_new()
        await self._listener.wait(_LOOK)


class Approving:
    """Asks the forge who may write, and answers comments, beside everything else: the forge may be slow."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._listener = plane.parts.bell.listen()

    async def handle(self) -> None:
        """Settle what can be settled, or wait for more."""
        if not await self._plane.approvals.handle():
            await self._listener.wait(_LOOK)


class Heir:
    """Takes over from a control plane beside us that ended without a word, before its leases run out."""

    def __init__(self, plane: ControlPlane, place: Place) -> None:
        self._plane, self._place = plane, place
        self._alone = place.alone

    async def handle(self) -> None:
        """Look whether we are alone by now."""
        await self._plane.parts.clock.sleep(_BESIDE)
        before, self._alone = self._alone, self._place.alone
        # One that came and was killed since the last look was never seen beside us; what it had claimed is.
        if self._alone and (await self._plane.reconciler.free_the_dead() or not before):
            log.info("the control plane beside this one has ended")
            await self._plane.teller.take_up()
            await self._plane.listing.list_all()  # what it was to list is known to nobody else


async def _store_missed(plane: ControlPlane) -> None:
    """Look after deliveries that came while the store did not work."""
    await plane.inbox.store_missed()
    await plane.parts.clock.sleep(_LOOK)


async def _list(plane: ControlPlane) -> None:
    """List open pull requests at start and on a schedule."""
    await plane.listing.list_all()
    await plane.parts.clock.sleep(plane.parts.policy.pace.resync)


async def _again(plane: ControlPlane, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except PortError as error:
            log.warning("%s", error)
            await plane.parts.clock.sleep(_AGAIN)
        except Exception:
            log.exception("failed; begun again in %.0f s", _AGAIN)
            await plane.parts.clock.sleep(_AGAIN)


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the whole control plane ends together."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def _listen(path: Path) -> socket.socket:
    """Listen on the control socket, by way of its opened folder: an address holds 107 bytes, a folder more (unix(7)).

    nginx's workers, which run as another user, may connect; the folder keeps everyone else out.
    """
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        listening.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
    path.chmod(0o666)
    return listening


def _config(plane: ControlPlane) -> uvicorn.Config:
    return uvicorn.Config(
        plane.app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
    )
