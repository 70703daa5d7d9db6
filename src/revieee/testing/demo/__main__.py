"""The demo as a command; `bin/demo` sets up what it needs and runs it."""

import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console

from revieee.testing.demo import play
from revieee.testing.demo.example import NoExample
from revieee.testing.demo.play import DemoFailed, Stage
from revieee.testing.demo.show import Show
from revieee.testing.images import ImageError
from revieee.testing.serving import ServingError

_STOPPED = 130
"""The exit code of a program that was ended by Ctrl-C (128 and the signal's number), before its job was done."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--once", is_flag=True, help="Also close the pull request, prove that nothing is left, and end.")
@click.option(
    "--example",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="The folder of the repository that is served.",
)
def main(*, once: bool, example: Path) -> None:
    """Play the main job on real parts: open a pull request, push to it, close it.

    Without --once everything stays up, with its addresses printed, until Ctrl-C; then all that was made is removed.
    Exit code 0: every step came out as it should; 1: one did not.
    """
    show = Show(Console(highlight=False), play.STEPS + play.MORE_STEPS * once)
    sys.exit(asyncio.run(_run(show, example, once=once)))


async def _run(show: Show, example: Path, *, once: bool) -> int:
    began = time.monotonic()
    stop = asyncio.Event()
    work = asyncio.create_task(_all(show, example, stop, once=once))

    def ask_to_stop() -> None:
        """End the job under way; the second time, also the wait for a tidy end."""
        if stop.is_set():
            return
        stop.set()
        work.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ask_to_stop)
    try:
        await work
    except asyncio.CancelledError:
        show.say("\nStopped. All that the demo made is removed.")
        return _STOPPED
    except (DemoFailed, ServingError, ImageError, NoExample, OSError) as error:
        show.say(f"\ndemo: {error}", style="red")
        return 1
    show.say(f"\nDone in {time.monotonic() - began:.1f} s. All that the demo made is removed.", style="bold")
    return 0


async def _all(show: Show, example: Path, stop: asyncio.Event, *, once: bool) -> None:
    async with play.stage(show, example) as on:
        try:
            await play.play(on)
            if once:
                await play.close(on)
            else:
                await _stay(on, stop)
        except (DemoFailed, ServingError):
            show.say(f"\nThe log of Revieee is kept: {_keep(on.plane.log)}")
            raise


async def _stay(on: Stage, stop: asyncio.Event) -> None:
    """Leave everything up until a signal."""
    show = on.show
    show.say()
    show.say("Everything stays up. Look at it in a browser:", style="bold")
    show.pairs({"Pull request": on.page, "Environment": on.url, "Dashboard": on.plane.base_url})
    show.say("Close or merge it there and watch it go. Ctrl-C ends this and removes all that it made.", style="dim")
    with contextlib.suppress(asyncio.CancelledError):
        await stop.wait()
    show.say("\nRemoving all that was made …")
    await play.close_all(on)


def _keep(log: Path) -> Path:
    """Copy the log to where it outlives the demo's folder."""
    with tempfile.NamedTemporaryFile(prefix="revieee-demo-", suffix=".log", delete=False) as file:
        kept = Path(file.name)
    if log.exists():
        shutil.copyfile(log, kept)
    return kept


if __name__ == "__main__":
    main(prog_name="bin/demo")
