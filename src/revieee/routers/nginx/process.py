"""nginx's processes: found by their working directory, started detached, told to read their configuration again.

nginx goes into the background by itself, in a session of its own, so nothing that ends us ends it.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from revieee.ports import Fault
from revieee.routers.nginx.config import Build
from revieee.routers.nginx.trouble import NOT_INSTALLED, explain

CONFIGURATION = "nginx.conf"
LOG = "error.log"
_MORE_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where nginx lies on Debian, which is not on an ordinary user's path."""
_START_SECONDS = 20
"""nginx itself tries for 2.5 s to get a taken port."""
_END_SECONDS = 5
_KNOWS_LOG_OPTION = (1, 19, 5)
"""From this version on nginx takes ``-e``; before, it grumbles about /var/log/nginx and goes on."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of one router folder at one moment."""

    master: int | None
    others: tuple[int, ...]
    """Workers, also those whose master was killed and that still hold the ports."""


class Nginx:
    """The nginx program and its processes in one folder."""

    def __init__(self, folder: Path, program: str, inside: str | None) -> None:
        """Take nginx's working directory, the program's name or path, and the address for containers, if any."""
        self._folder = folder
        self._program = program
        self._inside = inside

    async def build(self) -> Build:
        """Ask the installed program what it is.

        Raises:
            Fault: it is not installed.
        """
        _, words = await self._run(["-V"], cwd=Path("/"))
        return Build.read(words)

    async def test(self, build: Build, configuration: str) -> None:
        """Let nginx judge a configuration file in the folder.

        Raises:
            Fault: it does not like it; with its words.
        """
        code, words = await self._run(["-t", *self._arguments(build, configuration)], cwd=self._folder)
        if code != 0:
            raise Fault(explain(words, inside=self._inside))

    async def start(self, build: Build) -> None:
        """Start nginx; it is in the background and has its ports when this returns.

        Raises:
            Fault: it cannot start; with its words and what to do.
        """
        code, words = await self._run(self._arguments(build, CONFIGURATION), cwd=self._folder)
        if code != 0:
            raise Fault(explain(words, inside=self._inside))

    def is_master(self, pid: int) -> bool:
        """Tell whether a process is the folder's nginx master."""
        entry = Path("/proc") / str(pid)
        return _title(entry).startswith("nginx: master") and _working_directory(entry) == str(self._folder)

    def processes(self) -> Processes:
        """Find what runs in the folder; reads the title of every process on the machine, so not for every tick."""
        master = None
        others = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            title = _title(entry)
            if title.startswith("nginx: ") and _working_directory(entry) == str(self._folder):
                pid = int(entry.name)
                if title.startswith("nginx: master") and pid == self._written_pid():
                    master = pid
                else:
                    others.append(pid)
        return Processes(master, tuple(others))

    def signal(self, number: signal.Signals, pids: Sequence[int]) -> None:
        """Send a signal; whoever is gone already does not mind."""
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def replaced(self, master: int) -> bool:
        """Tell whether the master runs a program that was replaced on disk since (a package upgrade)."""
        try:
            return str(Path(f"/proc/{master}/exe").readlink()).endswith(" (deleted)")
        except OSError:
            return False

    async def end(self) -> None:
        """End all processes of the folder, at once; returns when none is left.

        Raises:
            Fault: some cannot be ended.
        """
        for number in (signal.SIGTERM, signal.SIGKILL):
            for _ in range(_END_SECONDS * 50):
                found = await asyncio.to_thread(self.processes)
                if found.master is None and not found.others:
                    return
                self.signal(number, [*([found.master] if found.master else []), *found.others])
                await asyncio.sleep(0.02)
        raise Fault(f"nginx in {self._folder} cannot be ended: {self.processes()}.")

    def log_tail(self) -> str:
        """Give the last lines of the error log."""
        try:
            return "\n".join((self._folder / LOG).read_text(errors="replace").splitlines()[-5:])
        except OSError:
            return ""

    def _arguments(self, build: Build, configuration: str) -> list[str]:
        version = tuple(int(part) for part in build.version.split(".") if part)
        log = ["-e", LOG] if version >= _KNOWS_LOG_OPTION else []
        return ["-p", "./", "-c", configuration, *log]

    def _written_pid(self) -> int | None:
        try:
            return int((self._folder / "nginx.pid").read_text())
        except (OSError, ValueError):
            return None

    async def _run(self, arguments: Sequence[str], *, cwd: Path) -> tuple[int, str]:
        try:
            process = await asyncio.create_subprocess_exec(
                self._program,
                *arguments,
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                env={"PATH": f"{os.environ.get('PATH', os.defpath)}:{_MORE_PATH}"},  # none of our secrets
            )
        except OSError as error:
            raise Fault(f"{self._program} cannot be run: {error.strerror}. {NOT_INSTALLED}") from error
        try:
            _, words = await asyncio.wait_for(process.communicate(), _START_SECONDS)
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise Fault(f"{self._program} did not start within {_START_SECONDS} s.\n{self.log_tail()}") from error
        return process.returncode or 0, words.decode(errors="replace").strip()


def _title(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _working_directory(process: Path) -> str:
    try:
        return str((process / "cwd").readlink())
    except OSError:
        return ""
