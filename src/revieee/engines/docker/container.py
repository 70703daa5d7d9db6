"""What the engine says of one container, and what that means for a task. Pure: time is an argument."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from revieee.clients.wording import out_of_room
from revieee.engines.docker.names import STOPPED
from revieee.model.resolve import Task
from revieee.model.route import Endpoint
from revieee.ports import Observed, ServiceState

Json: TypeAlias = Any  # what the Engine API answered

CRASH_LOOP = 4
"""Restarts in a row after which a container counts as failed: about 3 s of Docker's backoff."""

SETTLED = 10.0
"""Seconds after which Docker forgets earlier crashes (``restartmanager``)."""

_SIGNALLED = 128
_KILLED = 137
_NEVER = 0.0
_ENDED = frozenset({"exited", "dead"})
_MOST_OUTPUT = 4096
"""Bytes that Docker keeps of a healthcheck's output; of more, three dots follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The answer to ``GET /containers/{id}/json``, as far as it matters."""

    id: str
    name: str
    status: str
    """created, running, paused, restarting, removing, exited or dead."""
    labels: Mapping[str, str]
    exit_code: int = 0
    error: str = ""
    out_of_memory: bool = False
    started: float = _NEVER
    finished: float = _NEVER
    restarts: int = 0
    health: str = ""
    """starting, healthy or unhealthy; empty without a healthcheck."""
    health_words: str = ""
    health_cut: bool = False
    """Whether Docker cut those words short."""
    pid: int = 0
    memory: int = 0
    networks: Mapping[str, str]
    """Ids of the networks it hangs on, by name."""

    @property
    def stopped_by_us(self) -> bool:
        """Whether it is marked so."""
        return self.name.endswith(STOPPED)

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self.status in {"running", "paused"}

    @property
    def ended(self) -> bool:
        """Whether it ran, and does not now."""
        return self.status in _ENDED

    @property
    def unstartable(self) -> bool:
        """Whether the engine tried to start it and could not; for want of room is no reason not to try again."""
        return self.status == "created" and bool(self.error) and not out_of_room(self.error)


def read(body: Json) -> Container:
    """Read the engine's answer."""
    state = body["State"]
    health = state.get("Health") or {}
    networks = (body.get("NetworkSettings") or {}).get("Networks") or {}
    health_words, health_cut = _last_words(health.get("Log") or ())
    return Container(
        id=str(body["Id"]),
        name=str(body["Name"]).lstrip("/"),
        status=str(state["Status"]),
        labels=body["Config"].get("Labels") or {},
        exit_code=int(state.get("ExitCode") or 0),
        error=str(state.get("Error") or ""),
        out_of_memory=bool(state.get("OOMKilled")),
        started=moment(state.get("StartedAt")),
        finished=moment(state.get("FinishedAt")),
        restarts=int(body.get("RestartCount") or 0),
        health="" if health.get("Status") in {None, "none"} else str(health["Status"]),
        health_words=health_words,
        health_cut=health_cut,
        pid=int(state.get("Pid") or 0),
        memory=int((body.get("HostConfig") or {}).get("Memory") or 0),
        networks={name: str(one.get("NetworkID") or "") for name, one in networks.items()},
    )


def moment(text: str | None) -> float:
    """Read the engine's time (RFC 3339 with nanoseconds) as Unix seconds; its year 1 is 0."""
    if not text or text.startswith("0001-"):
        return _NEVER
    return datetime.fromisoformat(text).timestamp()


def asks_port(task: Task, container: Container) -> bool:
    """Whether only an answer on its port can tell if it is healthy."""
    return container.status == "running" and not container.health and task.port is not None


def judge(
    task: Task, container: Container | None, *, now: float, settle: float, endpoint: Endpoint | None = None
) -> Observed:
    """Tell how a task is by its container alone; where :func:`asks_port`, it is starting until the port answers.

    Args:
        task: what should run.
        container: what is there; None is nothing.
        now: Unix seconds.
        settle: seconds that a service without healthcheck and URL must have run.
        endpoint: where it answers.
    """
    if container is None:
        return Observed(key=task.key, state=ServiceState.ABSENT, endpoint=endpoint)
    state, words = _state(task, container, now=now, settle=settle)
    code = container.exit_code if container.ended or state is ServiceState.FAILED else None
    cut = container.health_cut and state is ServiceState.UNHEALTHY
    return Observed(key=task.key, state=state, endpoint=endpoint, exit_code=code, words=words, cut=cut)


def judge_hook(name: str, container: Container, *, now: float) -> Observed:
    """Tell how a hook is, at a time in Unix seconds."""
    if container.unstartable:
        return Observed(
            key=name, state=ServiceState.FAILED, exit_code=container.exit_code, words=plain_words(container.error)
        )
    if not container.ended:
        age = max(0.0, now - container.started) if container.started else 0.0
        return Observed(key=name, state=ServiceState.STARTING, age=age)
    failed = container.exit_code != 0
    state = ServiceState.FAILED if failed else ServiceState.COMPLETED
    return Observed(key=name, state=state, exit_code=container.exit_code, words=end_words(container) if failed else "")


def is_done(task: Task, container: Container) -> bool:
    """Whether it did all it had to do: a task without a URL that ended with exit code 0."""
    return container.ended and container.exit_code == 0 and task.port is None


def end_words(container: Container) -> str:
    """Say how a container ended."""
    if container.out_of_memory:
        limit = f", limit {container.memory // 2**20} MB" if container.memory else ""
        return f"killed: out of memory{limit} (exit code {container.exit_code})"
    if container.exit_code == 0:
        return "ended by itself with exit code 0, although it should answer requests"
    if container.exit_code == _KILLED:
        return "killed (exit code 137)"
    if container.exit_code > _SIGNALLED:
        return f"ended by signal {container.exit_code - _SIGNALLED} (exit code {container.exit_code})"
    return f"ended with exit code {container.exit_code}"


def plain_words(message: str) -> str:
    """Give the engine's words about a container that it cannot start, on one line."""
    line = " ".join(message.split())
    for noise in ("OCI runtime create failed: ", "failed to create shim task: ", "failed to create shim: "):
        line = line.replace(noise, "")
    return f"cannot be started: {line}"


def _state(task: Task, container: Container, *, now: float, settle: float) -> tuple[ServiceState, str]:
    if container.status == "created":
        failed = (ServiceState.FAILED, plain_words(container.error))
        return failed if container.unstartable else (ServiceState.WAITING, "")
    if container.stopped_by_us and not container.running:
        return ServiceState.STOPPED, "stopped"
    if container.status == "restarting" or (container.running and container.restarts):
        looped = _looped(container, now=now)
        if looped or container.status == "restarting":
            return looped or (ServiceState.STARTING, f"{end_words(container)}; the engine starts it again")
    if container.ended:
        done = is_done(task, container)
        return (ServiceState.COMPLETED, "") if done else (ServiceState.FAILED, end_words(container))
    return _running(task, container, now=now, settle=settle)


def _running(task: Task, container: Container, *, now: float, settle: float) -> tuple[ServiceState, str]:
    match container.health:
        case "healthy":
            return ServiceState.HEALTHY, ""
        case "unhealthy":
            words = f"its healthcheck says: {container.health_words}" if container.health_words else "unhealthy"
            return ServiceState.UNHEALTHY, words
        case "starting":
            return ServiceState.STARTING, "its healthcheck has not passed yet"
    if task.port is not None or 0 <= now - container.started < settle:  # the clock may have been set back since
        return ServiceState.STARTING, ""
    return ServiceState.HEALTHY, ""


def _looped(container: Container, *, now: float) -> tuple[ServiceState, str] | None:
    """Whether it crashes again and again: many restarts, the last a moment ago."""
    if container.restarts < CRASH_LOOP or (container.running and not 0 <= now - container.started <= SETTLED):
        return None
    code = f" (exit code {container.exit_code})" if not container.running else ""
    if container.out_of_memory:
        return ServiceState.FAILED, f"{end_words(container)}; it restarts again and again"
    return ServiceState.FAILED, f"restarts again and again{code}"


def _last_words(log: Json) -> tuple[str, bool]:
    """The output of the last healthcheck that failed, and whether it was cut short."""
    for entry in reversed(log):
        if entry.get("ExitCode"):
            text = str(entry.get("Output") or "")
            cut = len(text.encode()) > _MOST_OUTPUT
            if cut:
                text = text.removesuffix("...").rstrip("\N{REPLACEMENT CHARACTER}")  # half a character
            return text.strip() or f"exit code {entry['ExitCode']}", cut
    return "", False
