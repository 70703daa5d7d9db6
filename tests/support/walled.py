"""A machine that is played: a network namespace with a Docker engine of its own, in which `revieee serve` runs too.

There the walls are nobody else's, and what a firewall service does to rules can be done: all of them are flushed.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from revieee.testing.serving import ControlPlane, Given
from support.elsewhere import request
from support.private_docker import PrivateDocker
from support.waiting import eventually

HOST, ROUTER = "172.17.0.1", "10.128.0.1"
"""The host on the bridge of builds, and where containers reach the router."""
PUBLIC, SERVED = 18080, 8080
"""The ports of the router and of containers."""
_SERVE = f"mkdir /www; echo reached >/www/index.html; httpd -f -p {SERVED} -h /www"
_NOWHERE = "http://127.0.0.1:9"
_PROGRAM = Path(sys.executable).with_name("revieee")


@dataclass(frozen=True)
class Machine:
    """The machine."""

    engine: PrivateDocker
    image: str

    @property
    def inside(self) -> tuple[str, ...]:
        """What to put in front of a command to run it there."""
        return ("nsenter", f"--net=/run/netns/{self.engine.namespace}")

    def run(self, *command: str) -> str:
        """Run a command, and give what it wrote."""
        return subprocess.run([*self.inside, *command], check=True, capture_output=True, text=True).stdout

    def tables(self) -> Sequence[str]:
        """Give the families of our tables."""
        lines = self.run("nft", "list", "tables").splitlines()
        return sorted(line.split()[1] for line in lines if " revieee_" in line)

    @contextmanager
    def served(self, folder: Path) -> Iterator[ControlPlane]:
        """Run `revieee serve`, once the walls stand, until the block ends; its GitHub is never there."""
        settings = {"docker_host": self.engine.host, "network_pool": "10.128.0.0/20"}
        given = Given(port=PUBLIC, github_url=_NOWHERE, github_api_url=_NOWHERE, token="x", settings=settings)
        control = ControlPlane(folder / "data", given)
        control.data.mkdir()
        command = ["setpriv", "--pdeathsig=TERM", "--", *self.inside, str(_PROGRAM), "serve"]
        with control.log.open("ab") as log:
            process = subprocess.Popen(
                command, cwd=control.data, env=control.environment(), stdout=log, stderr=log, start_new_session=True
            )
        try:
            assert eventually(lambda: "instance" in control.tail() and len(self.tables()) == 2), control.tail()
            yield control
        finally:
            process.terminate()
            process.wait(20)
            asyncio.run(control.end_router())

    def container(self, *more: str) -> tuple[str, str]:
        """Start a container of the operator's own, which serves; gives its id and its address."""
        name = self.engine.docker("run", "--detach", *more, self.image, "sh", "-c", _SERVE)
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return name, self.engine.docker("inspect", f"--format={form}", name)

    def container_gets(self, name: str, address: str) -> bool:
        """Tell whether a container gets an address's page."""
        return "reached" in self.engine.docker("exec", name, "sh", "-c", f"{request(address)} || true")

    def build_gets(self, *addresses: str) -> list[str]:
        """Give the addresses whose page a build's step gets."""
        each = (f"({request(one)} | grep -q reached && echo gets {one}) &" for one in addresses)
        written = self.built(f"{' '.join(each)} wait")
        return [one for one in addresses if f" gets {one}\n" in written]

    def built(self, step: str) -> str:
        """Build a step, and give what that wrote."""
        with self.building(step) as process:
            written = process.communicate()[0]
        assert process.returncode == 0, written
        return "".join(f"{line}\n" for line in written.splitlines() if " RUN " not in line)

    @contextmanager
    def building(self, step: str = _SERVE) -> Iterator["subprocess.Popen[str]"]:
        """Build a step, one that serves if none is given, for as long as the block takes."""
        command = ["/usr/bin/docker", "--host", self.engine.host, "build", "--progress=plain", "--no-cache", "-"]
        pipe, env = subprocess.PIPE, {"DOCKER_BUILDKIT": "1", "HOME": "/nonexistent"}
        with subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=env
        ) as process:
            assert process.stdin is not None
            process.stdin.write(f"FROM {self.image}\nRUN {step}\n")
            process.stdin.close()
            process.stdin = None
            try:
                yield process
            finally:
                process.kill()

    def beside(self, known: Collection[str]) -> str:
        """Wait for somebody who is on the bridge of builds and not known, and give the address."""
        return eventually(lambda: next((one for one in self._on_bridge() if one not in known), ""))

    def _on_bridge(self) -> Sequence[str]:
        (network,) = json.loads(self.engine.docker("network", "inspect", "bridge"))
        return [one["IPv4Address"].partition("/")[0] for one in network["Containers"].values()]
