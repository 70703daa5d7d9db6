"""A shell in a container, from a process of its own: with a terminal and without."""

import os
import pty
import subprocess
import sys

import pytest

from revieee.testing.engines import Role
from support.docker_lab import DockerLab

pytestmark = pytest.mark.slow

PROGRAM = """
import asyncio, sys
from revieee.engines.docker import create
from revieee.model.policy import EngineOptions
from revieee.ports import Placement

async def main():
    engine = create(EngineOptions(instance=sys.argv[1], walls=False))
    place = Placement(instance=sys.argv[1], environment=1, incarnation=1, name="x")
    try:
        return await engine.shell(place, sys.argv[2], sys.argv[3:])
    finally:
        await engine.close()

sys.exit(asyncio.run(main()))
"""


async def started(lab: DockerLab) -> list[str]:
    """Start a service and give the command line that opens a shell in it."""
    place = lab.place(1)
    stack = await lab.resolve([lab.play("web", Role.RUNS)], place=place)
    await lab.until(place, stack, lambda seen: seen["web"].state == "healthy")
    return [sys.executable, "-c", PROGRAM, lab.instance, stack.task_of("web").key]


async def test_piped_input_reaches_the_command_and_its_exit_code_comes_back(docker_lab: DockerLab) -> None:
    command = [*await started(docker_lab), "sh", "-c", "cat; echo problem >&2; exit 4"]
    done = subprocess.run(command, input=b"from here\n", capture_output=True, check=False, timeout=30)  # noqa: ASYNC221 - nothing else runs
    assert (done.returncode, done.stdout) == (4, b"from here\nproblem\n"), done.stderr


async def test_a_terminal_is_passed_through(docker_lab: DockerLab) -> None:
    command = [*await started(docker_lab), "sh", "-c", "test -t 0 && echo is a terminal; read line; echo got $line"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)  # noqa: ASYNC220 - as above
    os.close(theirs)
    try:
        seen = b""
        while b"is a terminal" not in seen:
            seen += os.read(ours, 1024)
        os.write(ours, b"a word\r")
        while b"got a word" not in seen:
            seen += os.read(ours, 1024)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
