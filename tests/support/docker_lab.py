"""Where tests of the Docker engine work: an instance and addresses of their own."""

import os
from dataclasses import replace

from revieee.engines.docker import create
from revieee.model.policy import EngineOptions
from revieee.model.stack import Service
from revieee.ports import Engine
from revieee.testing.engines import Lab, Role

_SERVE = "echo started; mkdir -p /www; echo hello >/www/index.html; exec httpd -f -p 8080 -h /www"
_LINES = {
    Role.SERVES: _SERVE,
    Role.RUNS: "echo started; exec sleep 600",
    Role.COMPLETES: "echo started",
    Role.FAILS: "echo started; exit 3",
    Role.DEAF: "echo started; exec sleep 600",
}


class DockerLab(Lab):
    """A Docker engine; runs beside each other share neither instance nor addresses."""

    def __init__(self, image: str, options: EngineOptions | None = None) -> None:
        self.image = image
        self.options = options or EngineOptions(instance=f"contract-{os.getpid()}", settle=0.2, walls=False)
        super().__init__(self.options.instance, pool=f"10.{232 + os.getpid() % 8}.64.0/20")

    def open(self, instance: str) -> Engine:
        return create(replace(self.options, instance=instance))

    def use(self, options: EngineOptions) -> Engine:
        """Go on with an engine object that has other options."""
        self.options = options
        self.engine = self.another()
        return self.engine

    def play(self, name: str, role: Role) -> Service:
        return self.shell(name, _LINES[role])

    def shell(self, name: str, line: str) -> Service:
        """Give a service that runs a line of shell."""
        return Service(name=name, image=self.image, command=("sh", "-c", line), stop_signal="SIGKILL")

    def command(self, role: Role) -> tuple[str, ...]:
        return ("sh", "-c", _LINES[role])
