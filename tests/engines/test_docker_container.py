from dataclasses import replace

import pytest

from revieee.engines.docker.container import Container, judge, judge_hook, moment, read
from revieee.model.image import Image
from revieee.model.resolve import Task
from revieee.model.stack import Service
from revieee.ports import ServiceState

NOW = 1_000_000.0
TASK = Task(key="web-1", service=Service(name="web"), image=Image(id="sha256:aa", reference="x"))
EXPOSED = replace(TASK, port=8080)
RUNS = Container(id="c", name="rv-x", status="running", labels={}, networks={}, started=NOW - 60)


def state(task: Task, container: Container | None) -> ServiceState:
    return judge(task, container, now=NOW, settle=2.0).state


def test_nothing_is_absent() -> None:
    assert state(TASK, None) is ServiceState.ABSENT


def test_one_without_url_is_healthy_when_it_has_run_a_while() -> None:
    assert state(TASK, replace(RUNS, started=NOW - 1)) is ServiceState.STARTING
    assert state(TASK, replace(RUNS, started=NOW - 2)) is ServiceState.HEALTHY


@pytest.mark.parametrize("restarts", [0, 5])
def test_one_that_runs_since_before_the_clock_was_set_back_is_well(restarts: int) -> None:
    assert state(TASK, replace(RUNS, started=NOW + 3600, restarts=restarts)) is ServiceState.HEALTHY


def test_one_with_url_is_starting_until_its_port_answers() -> None:
    assert state(EXPOSED, RUNS) is ServiceState.STARTING


@pytest.mark.parametrize(
    ("health", "wanted"),
    [
        ("starting", ServiceState.STARTING),
        ("healthy", ServiceState.HEALTHY),
        ("unhealthy", ServiceState.UNHEALTHY),
    ],
)
def test_a_healthcheck_wins_over_everything(health: str, wanted: ServiceState) -> None:
    assert state(EXPOSED, replace(RUNS, health=health)) is wanted
    assert state(TASK, replace(RUNS, health=health)) is wanted


def test_an_end_with_0_is_complete_unless_it_has_a_url() -> None:
    ended = replace(RUNS, status="exited")
    assert state(TASK, ended) is ServiceState.COMPLETED
    assert state(EXPOSED, ended) is ServiceState.FAILED


def test_what_we_stopped_is_no_failure() -> None:
    ended = replace(RUNS, status="exited", exit_code=137, name="rv-x.stopped")
    assert state(EXPOSED, ended) is ServiceState.STOPPED


@pytest.mark.parametrize(
    ("container", "words"),
    [
        (replace(RUNS, status="exited", exit_code=3), "ended with exit code 3"),
        (replace(RUNS, status="exited", exit_code=139), "ended by signal 11 (exit code 139)"),
        (
            replace(RUNS, status="exited", exit_code=137, out_of_memory=True, memory=2**29),
            "killed: out of memory, limit 512 MB (exit code 137)",
        ),
        (
            replace(RUNS, status="created", exit_code=127, error="OCI runtime create failed: no such file"),
            "cannot be started: no such file",
        ),
        (replace(RUNS, status="restarting", exit_code=1, restarts=4), "restarts again and again (exit code 1)"),
    ],
)
def test_failures_in_words(container: Container, words: str) -> None:
    seen = judge(TASK, container, now=NOW, settle=2.0)
    assert (seen.state, seen.words) == (ServiceState.FAILED, words)


def test_a_few_restarts_are_no_loop_and_old_ones_are_forgotten() -> None:
    assert state(TASK, replace(RUNS, status="restarting", restarts=2, exit_code=1)) is ServiceState.STARTING
    assert state(TASK, replace(RUNS, restarts=40, started=NOW - 11)) is ServiceState.HEALTHY
    assert state(TASK, replace(RUNS, restarts=40, started=NOW - 3)) is ServiceState.FAILED


def test_hooks() -> None:
    running = judge_hook("h", replace(RUNS, started=NOW - 7), now=NOW)
    assert (running.state, running.age) == (ServiceState.STARTING, 7)
    assert judge_hook("h", replace(RUNS, status="exited"), now=NOW).state is ServiceState.COMPLETED
    failed = judge_hook("h", replace(RUNS, status="exited", exit_code=2), now=NOW)
    assert (failed.state, failed.exit_code, failed.words) == (ServiceState.FAILED, 2, "ended with exit code 2")


def test_the_engine_s_answer_is_read() -> None:
    body = {
        "Id": "c",
        "Name": "/rv-x",
        "RestartCount": 2,
        "Config": {"Labels": None},
        "HostConfig": {"Memory": 1024},
        "NetworkSettings": {"Networks": {"n": {"NetworkID": "id"}}},
        "State": {
            "Status": "running",
            "StartedAt": "2026-11-23T08:22:08.123456789Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
            "Pid": 12,
            "Health": {
                "Status": "unhealthy",
                "Log": [{"ExitCode": 0, "Output": "ok"}, {"ExitCode": 1, "Output": " no\n"}],
            },
        },
    }
    found = read(body)
    assert (found.name, found.labels, found.networks, found.memory) == ("rv-x", {}, {"n": "id"}, 1024)
    assert (found.health, found.health_words, found.pid, found.restarts) == ("unhealthy", "no", 12, 2)
    assert (found.started, found.finished) == (1795422128.123456, 0.0)


@pytest.mark.parametrize(
    ("said", "words", "cut"),
    [
        ("a" * 3000, "a" * 3000, False),
        ("a" * 4096, "a" * 4096, False),
        ("a" * 4096 + "...", "a" * 4096, True),
        ("a" * 4095 + "\ufffd...", "a" * 4095, True),  # in the middle of a character
    ],
)
def test_what_a_healthcheck_said_is_given_whole_with_whether_docker_cut_it(said: str, words: str, *, cut: bool) -> None:
    """A secret may lie across the cut; what is left of it goes when the words are masked."""
    health = {"Status": "unhealthy", "Log": [{"ExitCode": 1, "Output": said}]}
    found = read({"Id": "c", "Name": "x", "Config": {}, "State": {"Status": "running", "Health": health}})
    assert (found.health_words, found.health_cut) == (words, cut)
    assert judge(TASK, found, now=NOW, settle=2.0).cut is cut
    assert judge(TASK, replace(found, status="exited"), now=NOW, settle=2.0).cut is False


def test_times_without_fraction_and_with_a_zone_are_read() -> None:
    assert moment("1970-01-01T00:01:00Z") == 60.0
    assert moment("1970-01-01T01:01:00.5+01:00") == 60.5
    assert moment(None) == moment("0001-01-01T00:00:00Z") == 0.0
