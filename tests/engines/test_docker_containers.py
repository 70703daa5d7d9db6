"""What real containers do on the real engine, beyond the contract."""

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from revieee.model.policy import EngineOptions
from revieee.model.resolve import ResolvedStack
from revieee.model.stack import Healthcheck, MountedFile, Restart, Service, ServiceLimits, TmpfsMount, VolumeMount
from revieee.model.tags import built_here
from revieee.ports import Observed, Placement, Refused, RetryLater, ServiceState, Severity
from revieee.testing.engines import Role
from support.docker import docker
from support.docker_lab import DockerLab

pytestmark = pytest.mark.slow

GOOD = {ServiceState.HEALTHY, ServiceState.COMPLETED}


async def run(lab: DockerLab, *services: Service, exposed: tuple[str, ...] = ()) -> tuple[Placement, ResolvedStack]:
    place = lab.place(1)
    return place, await lab.resolve(services, exposed=exposed, place=place)


def good(seen: Mapping[str, Observed]) -> bool:
    return all(one.state in GOOD for one in seen.values())


def failed(seen: Mapping[str, Observed]) -> bool:
    return any(one.state is ServiceState.FAILED for one in seen.values())


async def wrote(lab: DockerLab, place: Placement, key: str, wanted: str) -> None:
    """See that a container's output becomes this; the engine passes it on a little later."""
    async with asyncio.timeout(30):
        while (log := await lab.log(place, key)) != wanted:
            assert wanted.startswith(log), log
            await asyncio.sleep(0.05)


def says(words: str) -> Callable[[Mapping[str, Observed]], bool]:
    return lambda seen: words in seen["web"].words


def inspected(stack: ResolvedStack, service: str, lab: DockerLab) -> dict[str, object]:
    key = stack.task_of(service).key
    found = docker("inspect", f"rv-{lab.instance}-1-1-{key}")
    return dict(json.loads(found)[0])


def build(folder: Path, dockerfile: str, tag: str) -> str:
    """Build an image; the caller removes it."""
    (folder / "Dockerfile").write_text(dockerfile)
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    subprocess.run(
        ["/usr/bin/docker", "build", "-q", "-t", tag, str(folder)], check=True, capture_output=True, env=environment
    )
    return tag


@pytest.fixture
def official(docker_lab: DockerLab, tmp_path: Path) -> Iterator[str]:
    """An image as the official ones are: its entrypoint is root, hands its volume to a user and becomes that user."""
    own = "mkdir -p /data/db; chown -R 999:999 /data; chmod 700 /data/db"
    (tmp_path / "entrypoint").write_text(f'#!/bin/sh\nset -e\n{own}\nexec su -s /bin/sh app -c "$*"\n')
    (tmp_path / "passwd").write_text("app:x:999:999::/:/bin/sh\n")
    (tmp_path / "entrypoint").chmod(0o755)
    tag = f"revieee-test-official:{os.getpid()}"
    build(
        tmp_path,
        f"FROM {docker_lab.image}\nCOPY entrypoint /entrypoint\nCOPY passwd /etc/passwd\nVOLUME /data /var/lib/more\n"
        'ENTRYPOINT ["/entrypoint"]\nCMD ["id -u; echo written >/data/db/x; exec sleep 600"]\n',
        tag,
    )
    yield tag
    docker("image", "rm", "-f", tag)


async def test_entrypoints_of_official_images_work(docker_lab: DockerLab, official: str) -> None:
    place, stack = await run(docker_lab, Service(name="db", image=official, stop_signal="SIGKILL"))
    await docker_lab.until(place, stack, good)
    await wrote(docker_lab, place, stack.task_of("db").key, "999\n")


async def test_no_volume_of_an_image_is_left_without_labels(docker_lab: DockerLab, official: str) -> None:
    before = set(docker("volume", "ls", "-q").split())
    db = Service(name="db", image=official, stop_signal="SIGKILL", volumes=(VolumeMount(volume="d", target="/data/"),))
    place, stack = await run(docker_lab, db)
    await docker_lab.until(place, stack, good)
    made = set(docker("volume", "ls", "-q").split()) - before
    labelled = set(docker("volume", "ls", "-q", "--filter", f"label=revieee.instance={docker_lab.instance}").split())
    assert len(made) == 2
    assert made <= labelled, "one of the author's, one for the path that nobody named"
    await docker_lab.engine.remove(place, stack.keys, grace=0)
    left = set(docker("volume", "ls", "-q").split()) - before
    assert len(left) == 1, "the private one went with its container"


async def test_files_of_the_checkout_are_put_in(docker_lab: DockerLab) -> None:
    files = (
        MountedFile(target="/etc/app/deep/settings.conf", content=b"a=1\n", mode=0o640, uid=7),
        MountedFile(target="/run/secrets/token", content=b"s3cret"),
    )
    line = "cat /etc/app/deep/settings.conf /run/secrets/token; stat -c ' %a %u' /etc/app/deep/settings.conf; sleep 600"
    for read_only in (False, True):
        service = replace(docker_lab.shell("web", line), files=files, read_only=read_only)
        place, stack = await run(docker_lab, service)
        await docker_lab.until(place, stack, good)
        await wrote(docker_lab, place, stack.task_of("web").key, "a=1\ns3cret 640 7\n")
        await docker_lab.engine.remove(place, None, grace=0)
        assert 1 not in await docker_lab.engine.observe_all(docker_lab.instance), "made images go, too"


def made_images(lab: DockerLab) -> list[str]:
    return docker(
        "images", "--format={{.Repository}}:{{.Tag}}", f"--filter=label=revieee.instance={lab.instance}"
    ).split()


async def test_an_image_made_for_a_read_only_service_goes_whatever_it_is_called(docker_lab: DockerLab) -> None:
    files = (MountedFile(target="/etc/app.conf", content=b"a"),)
    place, stack = await run(docker_lab, replace(docker_lab.play("web", Role.RUNS), files=files, read_only=True))
    await docker_lab.until(place, stack, good)
    (name,) = made_images(docker_lab)
    assert built_here(docker_lab.instance, name)
    former = f"revieee/rv-{docker_lab.instance}-1-1:{stack.task_of('web').key}"
    docker("tag", name, former)
    docker("rmi", name)

    docker("rm", "--force", str(inspected(stack, "web", docker_lab)["Id"]))
    await docker_lab.until(place, stack, good)
    assert set(made_images(docker_lab)) == {name, former}
    await docker_lab.engine.remove(place, stack.keys, grace=0)
    assert made_images(docker_lab) == []


async def test_a_read_only_container_writes_to_its_tmpfs_only(docker_lab: DockerLab) -> None:
    line = "echo x >/scratch/y && echo wrote; echo x >/y || echo refused; exec sleep 600"
    service = replace(docker_lab.shell("web", line), read_only=True, tmpfs=(TmpfsMount(target="/scratch", size=2**20),))
    place, stack = await run(docker_lab, service)
    await docker_lab.until(place, stack, good)
    log = await docker_lab.log(place, stack.task_of("web").key)
    assert "wrote" in log
    assert "refused" in log


async def test_capabilities_that_a_web_app_does_not_need_are_gone(docker_lab: DockerLab) -> None:
    line = "grep -E 'CapBnd|NoNewPrivs' /proc/self/status; mknod /n c 1 3 || echo no-mknod; exec sleep 600"
    place, stack = await run(docker_lab, docker_lab.shell("web", line))
    await docker_lab.until(place, stack, good)
    log = await docker_lab.log(place, stack.task_of("web").key)
    assert "no-mknod" in log
    assert "NoNewPrivs:\t1" in log
    assert int(log.partition("CapBnd:")[2].split()[0], 16) & (1 << 13) == 0, "NET_RAW"


async def test_limits_are_set_and_out_of_memory_is_told(docker_lab: DockerLab) -> None:
    limits = ServiceLimits(memory=32 * 2**20, cpus=0.5, pids=64)
    line = "echo started; x=0123456789abcdef; while true; do x=$x$x; done"
    place, stack = await run(docker_lab, replace(docker_lab.shell("web", line), limits=limits))
    seen = await docker_lab.until(place, stack, failed)
    assert "out of memory, limit 32 MB" in seen["web"].words
    host = inspected(stack, "web", docker_lab)["HostConfig"]
    assert isinstance(host, dict)
    wanted = {"Memory": 2**25, "MemorySwap": 2**25, "NanoCpus": 5 * 10**8, "PidsLimit": 64}
    assert {name: host[name] for name in wanted} == wanted


async def test_a_command_that_is_not_there_is_told_at_once(docker_lab: DockerLab) -> None:
    place, stack = await run(docker_lab, Service(name="web", image=docker_lab.image, command=("no-such-program",)))
    for _ in range(2):
        seen = (await docker_lab.engine.apply(place, stack))[stack.task_of("web").key]
        assert seen.state is ServiceState.FAILED
        assert "no-such-program" in seen.words


@pytest.mark.parametrize("field", ["entrypoint", "user"])
async def test_what_is_called_like_a_full_disk_has_failed_for_good(docker_lab: DockerLab, field: str) -> None:
    words = "no space left on device"
    plain = docker_lab.play("web", Role.RUNS)
    hostile = replace(plain, entrypoint=(words,)) if field == "entrypoint" else replace(plain, user=words)
    place, stack = await run(docker_lab, hostile)
    seen = (await docker_lab.engine.apply(place, stack))[stack.task_of("web").key]
    assert seen.state is ServiceState.FAILED
    assert words in seen.words


async def test_what_could_not_be_started_is_made_anew_after_a_stop(docker_lab: DockerLab) -> None:
    place, stack = await run(docker_lab, Service(name="web", image=docker_lab.image, command=("no-such-program",)))
    await docker_lab.until(place, stack, failed)
    before = inspected(stack, "web", docker_lab)["Id"]
    await docker_lab.engine.stop(place, stack, stack.keys)
    await docker_lab.until(place, stack, failed)
    assert inspected(stack, "web", docker_lab)["Id"] != before


async def test_an_unknown_user_is_told(docker_lab: DockerLab) -> None:
    place, stack = await run(docker_lab, replace(docker_lab.play("web", Role.RUNS), user="nobody-here"))
    seen = (await docker_lab.engine.apply(place, stack))[stack.task_of("web").key]
    assert seen.state is ServiceState.FAILED
    assert "nobody-here" in seen.words


async def test_what_the_engine_does_not_take_is_refused(docker_lab: DockerLab) -> None:
    place, stack = await run(docker_lab, replace(docker_lab.play("web", Role.RUNS), working_dir="not/absolute"))
    with pytest.raises(Refused, match="not/absolute"):
        await docker_lab.engine.apply(place, stack)


async def test_a_crash_loop_is_failed(docker_lab: DockerLab) -> None:
    service = replace(docker_lab.play("web", Role.FAILS), restart=Restart.UNLESS_STOPPED)
    place, stack = await run(docker_lab, service)
    seen = await docker_lab.until(place, stack, failed)
    assert "again and again" in seen["web"].words


async def test_a_healthcheck_says_what_is_wrong(docker_lab: DockerLab) -> None:
    check = Healthcheck(test=("CMD-SHELL", "echo database is away; exit 1"), interval=1, retries=1, timeout=5)
    place, stack = await run(docker_lab, replace(docker_lab.play("web", Role.RUNS), healthcheck=check))
    seen = await docker_lab.until(place, stack, lambda seen: seen["web"].state is ServiceState.UNHEALTHY)
    assert "database is away" in seen["web"].words


async def test_the_port_that_is_open_is_named(docker_lab: DockerLab) -> None:
    line = "mkdir -p /www; exec httpd -f -p {} -h /www"
    for where, words in (("3000", "open ports: 3000"), ("127.0.0.1:3000", "own 127.0.0.1: 3000")):
        place, stack = await run(docker_lab, docker_lab.shell("web", line.format(where)), exposed=("web",))
        seen = await docker_lab.until(place, stack, says(words))
        assert seen["web"].words.startswith("nothing listens on port 8080; ")
        await docker_lab.engine.remove(place, None, grace=0)


async def test_a_service_that_ends_well_instead_of_answering_has_failed(docker_lab: DockerLab) -> None:
    place, stack = await run(docker_lab, docker_lab.play("web", Role.COMPLETES), exposed=("web",))
    seen = await docker_lab.until(place, stack, failed)
    assert "exit code 0" in seen["web"].words


async def test_output_is_given_byte_for_byte(docker_lab: DockerLab) -> None:
    line = r"printf '\377\376 raw\n\033[31m'; echo err >&2; exec sleep 600"
    for tty in (False, True):
        place, stack = await run(docker_lab, replace(docker_lab.shell("web", line), tty=tty))
        await docker_lab.until(place, stack, good)
        pieces = [one async for one in docker_lab.engine.logs(place, stack.task_of("web").key)]
        assert b"raw" in b"".join(pieces)
        assert b"err" in b"".join(pieces)
        await docker_lab.engine.remove(place, None, grace=0)


async def test_labels_of_the_author_stay_unless_they_are_ours(docker_lab: DockerLab) -> None:
    labels = (("traefik.enable", "true"), ("revieee.environment", "7"), ("com.docker.compose.project", "x"))
    place, stack = await run(docker_lab, replace(docker_lab.play("web", Role.RUNS), labels=labels))
    await docker_lab.engine.apply(place, stack)
    settings = inspected(stack, "web", docker_lab)["Config"]
    assert isinstance(settings, dict)
    found = settings["Labels"]
    assert (found["traefik.enable"], found["revieee.environment"]) == ("true", "1")
    assert found["revieee.release"] == "0123abcd"
    assert "com.docker.compose.project" not in found


async def test_an_author_never_wins_over_another_environment_by_the_labels_of_an_image(
    docker_lab: DockerLab, tmp_path: Path
) -> None:
    tag = f"revieee-test-labels:{os.getpid()}"
    build(tmp_path, f"FROM {docker_lab.image}\nLABEL revieee.key=stolen revieee.name=x revieee.port=1\n", tag)
    try:
        place, stack = await run(docker_lab, replace(docker_lab.play("web", Role.RUNS), image=tag))
        await docker_lab.engine.apply(place, stack)
        assert (await docker_lab.engine.observe_all(docker_lab.instance))[1].keys == stack.keys
    finally:
        await docker_lab.engine.remove(place, None, grace=0)
        docker("image", "rm", tag)


async def test_a_close_ends_whatever_incarnation_an_image_claims_to_be_of(
    docker_lab: DockerLab, tmp_path: Path
) -> None:
    ours = f"LABEL revieee.instance={docker_lab.instance} revieee.environment=1"
    tags = [f"revieee-test-later-{length}:{os.getpid()}" for length in (4, 5000)]
    for tag, length in zip(tags, (4, 5000), strict=True):
        build(tmp_path, f"FROM {docker_lab.image}\n{ours}\nLABEL revieee.incarnation={'9' * length}\n", tag)
    present = (await docker_lab.engine.observe_all(docker_lab.instance))[1]
    assert (len(present.images), present.incarnation) == (2, 0)
    await docker_lab.engine.remove(docker_lab.place(1), None, grace=0)
    assert 1 not in await docker_lab.engine.observe_all(docker_lab.instance)


async def test_built_images_go_with_their_environment_and_cannot_be_named_by_others(
    docker_lab: DockerLab, tmp_path: Path
) -> None:
    place = docker_lab.place(1)
    labels = f"LABEL revieee.instance={docker_lab.instance} revieee.environment=1"
    tags = [f"revieee-test-{name}:{os.getpid()}" for name in ("old", "new", "new-again")]
    build(tmp_path, f"FROM {docker_lab.image}\n{labels}\nENV A=1\n", tags[0])
    for tag in tags[1:]:
        build(tmp_path, f"FROM {docker_lab.image}\n{labels}\nENV A=2\n", tag)
    new = docker("image", "inspect", "--format", "{{.Id}}", tags[1])
    with pytest.raises(Refused, match="built for an environment"):
        await docker_lab.engine.image(tags[1])
    await docker_lab.engine.remove_images(place, keep={new})
    assert (await docker_lab.engine.observe_all(docker_lab.instance))[1].images == {new}
    await docker_lab.engine.remove(place, None)
    assert 1 not in await docker_lab.engine.observe_all(docker_lab.instance)
    assert docker("image", "ls", "-q", docker_lab.image), "the base image stays"


async def test_what_runs_is_found_again_after_its_network_was_removed(docker_lab: DockerLab) -> None:
    place, stack = await run(docker_lab, docker_lab.play("web", Role.SERVES), exposed=("web",))
    await docker_lab.until(place, stack, good)
    await docker_lab.engine.stop(place, stack, stack.keys)
    docker("network", "rm", f"rv-{docker_lab.instance}-1-1")
    await docker_lab.until(place, stack, good)


async def test_a_half_made_container_is_finished(docker_lab: DockerLab) -> None:
    """As a crash between create and start leaves it."""
    file = MountedFile(target="/greeting", content=b"hello")
    service = replace(docker_lab.shell("web", "cat /greeting; echo; exec sleep 600"), files=(file,))
    place, stack = await run(docker_lab, service)
    await docker_lab.until(place, stack, good)
    key = stack.task_of("web").key
    name = f"rv-{docker_lab.instance}-1-1-{key}"
    body = docker("inspect", "--format", "{{json .Config.Labels}}", name)
    labels = [f"--label={label}={text}" for label, text in json.loads(body).items()]
    docker("rm", "-f", name)
    network = f"--network=rv-{docker_lab.instance}-1-1"
    docker("create", f"--name={name}", network, *labels, docker_lab.image, *(service.command or ()))
    await docker_lab.until(place, stack, good)
    await wrote(docker_lab, place, key, "hello\n")


async def test_an_unknown_engine_is_no_hang(docker_lab: DockerLab, tmp_path: Path) -> None:
    place = docker_lab.place(1)
    docker_lab.use(EngineOptions(instance="x", host=f"unix://{tmp_path}/none.sock", walls=False))
    with pytest.raises(RetryLater, match="does not answer"):
        await docker_lab.engine.remove(place, None)
    findings = await docker_lab.engine.check()
    assert "systemctl start docker" in findings[0].mend
    docker_lab.use(EngineOptions(instance=docker_lab.instance, walls=False))


async def test_a_silent_engine_is_no_hang(docker_lab: DockerLab, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/silent.sock")
        server.listen()
        host = f"unix://{tmp_path}/silent.sock"
        docker_lab.use(EngineOptions(instance=docker_lab.instance, host=host, walls=False, timeout=0.2))
        with pytest.raises(RetryLater, match="no answer within"):
            await docker_lab.engine.observe_all(docker_lab.instance)
    docker_lab.use(EngineOptions(instance=docker_lab.instance, walls=False))


async def test_a_user_who_cannot_see_the_walls_is_told_so(
    docker_lab: DockerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = docker_lab.use(replace(docker_lab.options, walls=True))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    found = {one.subject: one for one in await engine.check()}
    for subject in ("walls", "neighbours"):
        assert found[subject].severity is Severity.WARNING
        assert found[subject].words.startswith("This user cannot see whether the firewall table ")
