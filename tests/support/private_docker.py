"""A Docker engine of a test's own, which it may restart and kill: in a network namespace, with its own data."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from support.disks import small_disk

_PATIENCE = 60.0
_BRIDGE, _BRIDGE_ADDRESS = "rvtest0", "192.0.2.1/24"
"""Documentation's addresses (RFC 5737), which nobody else on this machine has."""
_SETTINGS = """version = 2
root = "{folder}/croot"
state = "{folder}/cstate"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{folder}/containerd.sock"
"""


class PrivateDocker:
    """One dockerd beside a containerd of its own. Its containers cannot be reached from outside its namespace.

    Without a namespace it makes no firewall rules, and has a bridge of its own: its containers are reached from this
    machine, and reach nothing else.
    """

    def __init__(self, folder: Path, namespace: str, *more: str) -> None:
        self.host = f"unix://{folder}/docker.sock"
        self.data = folder / "data"
        self.namespace = namespace
        """Of its network; empty: this machine's."""
        self._folder = folder
        self._more = more
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        if self._daemon is not None:
            return
        folder = self._folder
        self._daemon = self.process(
            *("dockerd", "--host", self.host, "--containerd", str(folder / "containerd.sock")),
            *("--data-root", str(folder / "data"), "--exec-root", str(folder / "run")),
            *("--pidfile", str(folder / "pid"), "--shutdown-timeout", "1"),
            *(() if self.namespace else ("--bridge", _BRIDGE, "--iptables=false")),
            *self._more,
        )
        until = time.monotonic() + _PATIENCE
        while self._ask("version").returncode:
            assert self._daemon.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < until, "the private engine does not answer"
            time.sleep(0.1)

    def stop(self) -> None:
        """End it the way a restart does: its containers end first."""
        self._end(kill=False)

    def kill(self) -> None:
        """End it at once, as a crash does: its containers run on until the next start."""
        self._end(kill=True)
        (self._folder / "pid").unlink()

    def revive(self) -> bool:
        """Start it again where somebody else ended it; gives whether that was so."""
        if self._daemon is None or self._daemon.poll() is None:
            return False
        self._daemon = None
        (self._folder / "pid").unlink(missing_ok=True)
        self.start()
        return True

    @property
    def pid(self) -> int:
        """The daemon's process, where it has no namespace of its own."""
        assert self._daemon is not None
        return self._daemon.pid

    def docker(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run the docker command line on it."""
        done = self._ask(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def process(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a daemon in the namespace."""
        inside = ["nsenter", f"--net=/run/netns/{self.namespace}", *command] if self.namespace else list(command)
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(inside, stdout=log, stderr=log)

    def _ask(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = ["/usr/bin/docker", "--host", self.host, *arguments]
        return subprocess.run(command, capture_output=True, check=False, input=stdin)

    def _end(self, *, kill: bool) -> None:
        if self._daemon is not None:
            _end(self._daemon, kill=kill)
            self._daemon = None


@contextmanager
def private_docker(
    image: str, *, disk: int = 0, reachable: bool = False, cgroup_parent: str = ""
) -> Iterator[PrivateDocker]:
    """Start an engine that has one image of the machine's usual one, and end it with all its containers.

    Args:
        image: its name.
        disk: bytes of the file system that its data has to itself; 0: it lies with everything else.
        reachable: whether its containers are to be reached from this machine.
        cgroup_parent: the control group of its containers and builds; empty: the one that all engines have.
    """
    namespace = "" if reachable else f"docker{os.getpid()}"
    # Not in pytest's own folder: what a killed run leaves mounted must not fail the clean-up of later ones.
    folder = Path(tempfile.mkdtemp(prefix="revieee-engine-"))
    engine = PrivateDocker(folder, namespace, *(("--cgroup-parent", cgroup_parent) if cgroup_parent else ()))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(_unmount, folder)
        if namespace:
            _run("ip", "netns", "add", namespace)
            stack.callback(_run, "ip", "netns", "del", namespace)
            _run("ip", "-n", namespace, "link", "set", "lo", "up")
        else:
            subprocess.run(["ip", "link", "del", _BRIDGE], capture_output=True, check=False)  # of a run that was killed
            _run("ip", "link", "add", "name", _BRIDGE, "type", "bridge")
            stack.callback(_run, "ip", "link", "del", _BRIDGE)
            _run("ip", "address", "add", _BRIDGE_ADDRESS, "dev", _BRIDGE)
            _run("ip", "link", "set", _BRIDGE, "up")
        if disk:
            stack.enter_context(small_disk(folder / "data", disk))
        (folder / "containerd.toml").write_text(_SETTINGS.format(folder=folder))
        containerd = engine.process("containerd", "--config", str(folder / "containerd.toml"))
        stack.callback(_end, containerd, kill=False)
        # A killed one leaves its data folder mounted on itself.
        stack.callback(subprocess.run, ["umount", "--lazy", str(folder / "data")], check=False, capture_output=True)
        stack.callback(_clear, engine)
        engine.start()
        saved = subprocess.run(["/usr/bin/docker", "save", image], check=True, capture_output=True).stdout
        engine.docker("load", stdin=saved)
        yield engine


def _clear(engine: PrivateDocker) -> None:
    engine.start()
    if running := engine.docker("ps", "-aq").split():
        engine.docker("rm", "-fv", *running)
    engine.stop()
    if not engine.namespace:
        # One that was killed as it made a network has kept it to itself, with its interface on this machine.
        stored = (engine.data / "network" / "files" / "local-kv.db").read_bytes()
        for interface in {*re.findall(rb'"BridgeName":"(rv\w+)"', stored)} - {_BRIDGE.encode()}:
            subprocess.run(["ip", "link", "del", interface], capture_output=True, check=False)


def _unmount(folder: Path) -> None:
    """Take away what the engine mounts below its folder and leaves there, so that the folder can be removed."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((one for one in mounts if one.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)


def _end(process: subprocess.Popen[bytes], *, kill: bool) -> None:
    if kill:
        process.kill()
    else:
        process.terminate()
    process.wait(_PATIENCE)


def _run(*command: str) -> None:
    arguments: Sequence[str] = command
    subprocess.run(arguments, check=True, capture_output=True)
