"""The builder on a real Docker engine, with a base image made on this machine and no registry."""

import asyncio
import json
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from builders.conftest import Yard
from revieee.builders.buildkit import BuilderOptions, BuildKitBuilder
from revieee.model.stack import Build
from revieee.ports import BuildRequest, Fault, Refused, RetryLater, Severity
from support.docker import docker
from support.waiting import eventually

NOTHING = "127.0.0.1:1/nothing:1"
"""An image of a registry that is not there."""


async def test_the_image_and_what_is_known_of_it(yard: Yard) -> None:
    image = await yard.build(
        "FROM BASE\nEXPOSE 9000 8080/tcp 53/udp\nVOLUME /data /var/lib/x\n"
        "HEALTHCHECK --interval=2s CMD true\nCMD sleep 1\n"
    )

    assert image.id.startswith("sha256:")
    assert image.reference == f"revieee-{yard.instance}/acme/shop/web:main"
    assert image.ports == (8080, 9000)
    assert image.volumes == ("/data", "/var/lib/x")
    assert image.healthcheck
    assert image.health_interval == 2
    assert image.size > 100_000
    labels = json.loads(docker("inspect", "--format={{json .Config.Labels}}", image.id))
    ours = {name: value for name, value in labels.items() if name.startswith("revieee.")}
    assert ours["revieee.instance"] == yard.instance
    assert ours["revieee.environment"] == "7"


async def test_an_image_that_declares_too_many_volumes(yard: Yard) -> None:
    with pytest.raises(Refused, match="declares 101 volumes"):
        await yard.build(f"FROM BASE\nVOLUME {' '.join(f'/v{n}' for n in range(101))}\n")


async def test_the_same_again_is_the_same_image_at_once(yard: Yard) -> None:
    yard.files({"app": "1"})
    first = await yard.build("FROM BASE\nCOPY app /app\nRUN sleep 1\n")

    began = time.monotonic()
    again = await yard.build()

    assert again.id == first.id
    assert time.monotonic() - began < 1


async def test_a_changed_source_does_not_install_dependencies_again(yard: Yard) -> None:
    yard.files({"requirements.txt": "a==1", "app": "1"})
    dockerfile = "FROM FRESH\nCOPY requirements.txt /\nRUN echo install$((20 + 3))\nCOPY app /app\n"
    await yard.build(dockerfile)
    assert b"install23" in yard.output
    yard.output = b""

    yard.files({"app": "2"})
    await yard.build()

    assert b"install23" not in yard.output


async def test_output_comes_while_the_build_runs(yard: Yard) -> None:
    seen: list[bytes] = []
    half = asyncio.Event()

    async def write(chunk: bytes) -> None:
        seen.append(chunk)
        if b"half-23" in b"".join(seen):
            half.set()

    word = str(secrets.randbelow(10**7) + 10**7)
    request = yard.request(f"FROM BASE\nRUN echo half-$((20 + 3)) && sleep {word}\n")
    building = asyncio.create_task(yard.builder().build(request, write))
    await asyncio.wait_for(half.wait(), 60)
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building


async def test_a_failed_build_tells_file_line_and_last_lines(yard: Yard) -> None:
    with pytest.raises(Refused, match=r"^Dockerfile:3: RUN echo why.*exit code: 3") as caught:
        await yard.build("FROM BASE\n\nRUN echo why-$((20 + 3)); \\\n  exit 3\n")

    assert "why-23" in caught.value.log
    assert len(caught.value.log.splitlines()) <= 50


async def test_a_dockerfile_that_cannot_be_read(yard: Yard) -> None:
    with pytest.raises(Refused, match=r"(?i)^Dockerfile:2: unknown instruction: RUM"):
        await yard.build("FROM BASE\nRUM x\n")


async def test_a_base_image_whose_registry_takes_no_connection(yard: Yard) -> None:
    with pytest.raises(RetryLater, match=f"the base image {NOTHING} is not on this machine and cannot be pulled now"):
        await yard.build(f"FROM {NOTHING}\n")


async def test_a_build_uses_no_other_temporary_folder_and_leaves_nothing_beside_its_checkout(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    await yard.build("FROM BASE\nRUN true\n")
    assert list(yard.folder.parent.iterdir()) == [yard.folder]


async def test_a_cancelled_build_ends_its_steps(yard: Yard, process_with: Callable[[str], bool]) -> None:
    word = str(secrets.randbelow(10**7) + 10**7)
    request = yard.request(f"FROM BASE\nRUN sleep {word}\n")
    building = asyncio.create_task(yard.builder().build(request, yard.write))
    assert await asyncio.to_thread(eventually, lambda: process_with(word))

    began = time.monotonic()
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building

    assert await asyncio.to_thread(eventually, lambda: not process_with(word))
    assert time.monotonic() - began < 2


PLANE = """
import asyncio, sys
from pathlib import Path
from revieee.builders.buildkit import BuilderOptions, BuildKitBuilder
from revieee.model.stack import Build
from revieee.ports import BuildRequest

async def write(chunk):
    pass

builder = BuildKitBuilder(BuilderOptions(instance=sys.argv[1]))
request = BuildRequest(environment=1, folder=Path(sys.argv[2]), build=Build(), tags=(), cache_scope=sys.argv[1])
asyncio.run(builder.build(request, write))
"""


async def test_when_the_control_plane_dies_its_builds_end(yard: Yard, process_with: Callable[[str], bool]) -> None:
    word = str(secrets.randbelow(10**7) + 10**7)
    yard.files({"Dockerfile": f"FROM BASE\nRUN sleep {word}\n"})
    arguments = [sys.executable, "-c", PLANE, yard.instance, str(yard.folder)]
    with subprocess.Popen(arguments) as plane:  # noqa: ASYNC220  # it is to be killed
        assert await asyncio.to_thread(eventually, lambda: process_with(word))
        plane.send_signal(signal.SIGKILL)

        assert await asyncio.to_thread(eventually, lambda: not process_with(word))


async def test_the_time_limit(yard: Yard, process_with: Callable[[str], bool]) -> None:
    word = str(secrets.randbelow(10**7) + 10**7)
    request = yard.request(f"FROM BASE\nRUN sleep {word}\n")

    with pytest.raises(Refused, match="longer than 2 s"):
        await yard.builder(time_limit=2).build(request, yard.write)

    assert await asyncio.to_thread(eventually, lambda: not process_with(word))


async def test_the_log_limit(yard: Yard) -> None:
    request = yard.request("FROM BASE\nRUN i=0; while true; do echo $i; i=$((i+1)); done\n")

    with pytest.raises(Refused, match="more than 20000 bytes") as caught:
        await yard.builder(log_limit=20_000).build(request, yard.write)

    assert len(yard.output) <= 20_000
    assert caught.value.log


async def test_cache_mounts_are_shared_inside_a_scope_only(yard: Yard) -> None:
    def dockerfile(number: int) -> str:
        return (
            f"FROM BASE\nRUN --mount=type=cache,target=/cache,id=x echo run {number}; "
            f"echo found-$((20 + 3)) $(cat /cache/secret); echo {yard.instance} > /cache/secret\n"
        )

    await yard.build(dockerfile(1))
    await yard.build(dockerfile(2))
    assert f"found-23 {yard.instance}".encode() in yard.output
    yard.output = b""

    await yard.build(dockerfile(3), scope="another")
    await yard.build(dockerfile(4), scope="another", args=(("BUILDKIT_CACHE_MOUNT_NS", "guessed"),))

    assert yard.output.count(f"found-23 {yard.instance}".encode()) == 1
    assert b"The build argument BUILDKIT_CACHE_MOUNT_NS is left out" in yard.output


async def test_a_standard_frontend_line_is_left_out(yard: Yard) -> None:
    await yard.build("# syntax=docker/dockerfile:1\nFROM BASE\nRUN true\n")

    assert b"Dockerfile:1: '# syntax=docker/dockerfile:1' is left out" in yard.output


async def test_another_frontend_is_refused(yard: Yard) -> None:
    with pytest.raises(Refused, match="Dockerfile:1: the frontend 'evil/frontend'"):
        await yard.build("# syntax=evil/frontend\nFROM BASE\n")
    with pytest.raises(Refused, match="BUILDKIT_SYNTAX"):
        await yard.build("FROM BASE\n", args=(("BUILDKIT_SYNTAX", "evil/frontend"),))


async def test_the_network_of_the_host_is_out_of_reach(yard: Yard) -> None:
    with pytest.raises(Refused):
        await yard.build("FROM BASE\nRUN --network=host true\n")
    with pytest.raises(Refused):
        await yard.build("FROM BASE\nRUN --security=insecure true\n")


async def test_context_dockerfile_and_target_are_where_the_author_says(yard: Yard) -> None:
    yard.files(
        {"api/app": "from-api-$x", "docker/api.Dockerfile": "FROM FRESH AS early\nCOPY app /app\nRUN cat /app\n"}
    )
    with (yard.folder / "docker" / "api.Dockerfile").open("a") as file:
        file.write("FROM early\nRUN false\n")

    await yard.build(context="api", dockerfile="docker/api.Dockerfile", target="early")

    assert b"from-api-$x" in yard.output


async def test_a_dockerfile_may_have_the_longest_name_there_is(yard: Yard) -> None:
    yard.files({"f" * 255: "FROM BASE\nEXPOSE 81\n"})

    image = await yard.build(dockerfile="f" * 255)

    assert image.ports == (81,)


async def test_a_dockerfile_in_the_compose_file(yard: Yard) -> None:
    yard.files({"app": "1"})

    image = await yard.build(inline=f"FROM {yard.base}\nCOPY app /app\nEXPOSE 81\n")

    assert image.ports == (81,)


@pytest.mark.parametrize("ignore", [".dockerignore", "Dockerfile.dockerignore"])
async def test_ignored_files_are_not_in_the_image(yard: Yard, ignore: str) -> None:
    yard.files({"kept": "", "dropped": "", ignore: "dropped\n"})

    await yard.build("FROM FRESH\nCOPY . /x\nRUN ls /x | sed 's/^/has /'\n")

    assert b"has kept" in yard.output
    assert b"has dropped" not in yard.output


@pytest.mark.parametrize("value", ["$(id)", "a b", "'\"`", "--flag", "line\nline", "ü☃", "", "a=b"])
async def test_any_value_of_an_argument_arrives(yard: Yard, value: str) -> None:
    yard.files({"Dockerfile": 'FROM FRESH\nARG X\nRUN printf %s "$X" > /x && od -An -tx1 -v /x | tr -d " \\n"; echo\n'})

    await yard.build(args=(("X", value),))

    assert value.encode().hex().encode() in yard.output.replace(b"\n", b"")


@pytest.mark.parametrize(
    "args",
    [(("A B", "1"),), (("--x", "1"),), (("", "1"),), (("X", "\0"),), (("X", "x" * 200_000),), (("X", "\ud800"),)],
)
async def test_an_argument_that_cannot_be_given(yard: Yard, args: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(Refused, match="build argument"):
        await yard.build("FROM BASE\n", args=args)


async def test_nothing_leads_out_of_the_checkout(yard: Yard, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "Dockerfile").write_text("FROM scratch\n")
    (yard.folder / "link").symlink_to(tmp_path / "outside")
    (yard.folder / "linked").symlink_to(tmp_path / "outside" / "Dockerfile")
    yard.files({"Dockerfile": "FROM BASE\n"})

    for build in (
        Build(context="link"), Build(context="../outside"), Build(context="/"), Build(dockerfile="linked"),
        Build(dockerfile="link/Dockerfile"), Build(dockerfile="../outside/Dockerfile"), Build(dockerfile="/etc/passwd"),
    ):  # fmt: skip
        request = BuildRequest(environment=1, folder=yard.folder, build=build, tags=(), cache_scope="x")
        with pytest.raises(Refused, match=r"leads out of|not in the repository"):
            await yard.builder().build(request, yard.write)


async def test_links_in_the_context_do_not_bring_files_of_the_host(yard: Yard, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-the-host")
    (yard.folder / "link").symlink_to(tmp_path / "secret")
    (yard.folder / ".dockerignore").symlink_to(tmp_path / "secret")

    with pytest.raises(Refused):
        await yard.build("FROM BASE\nCOPY link /x\nRUN cat /x\n")

    assert b"from-the-host" not in yard.output


async def test_a_missing_dockerfile_is_named(yard: Yard) -> None:
    with pytest.raises(Refused, match="'docker/nothing'"):
        await yard.build(dockerfile="docker/nothing")


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM {image}\n",
        "FROM BASE\nCOPY --from={image} / /x\n",
        "FROM BASE\nRUN --mount=type=bind,from={image},target=/x ls /x\n",
        "ARG P=/acme\nARG Q=${{P:+${{P}}}}\nFROM {prefix}${{Q}}/shop/web:main\n",
    ],
)
async def test_images_of_environments_are_not_built_upon(yard: Yard, dockerfile: str) -> None:
    prefix = f"revieee-{yard.instance}"
    await yard.build("FROM BASE\nRUN echo secret > /secret\n")

    with pytest.raises(Refused, match="built for an environment"):
        await yard.build(dockerfile.format(image=f"{prefix}/acme/shop/web:main", prefix=prefix))


async def test_an_engine_that_is_not_there(tmp_path: Path) -> None:
    builder = BuildKitBuilder(BuilderOptions(instance="x", host=f"unix://{tmp_path}/none.sock"))
    request = BuildRequest(environment=1, folder=tmp_path, build=Build(), tags=(), cache_scope="x")

    async def write(_: bytes) -> None:
        pass

    with pytest.raises(RetryLater, match="engine does not answer"):
        await builder.build(request, write)
    await builder.close()


async def test_no_client_that_can_build(tmp_path: Path) -> None:
    fake = tmp_path / "docker"
    fake.write_text("#!/bin/sh\necho Docker version 28.2.2, build x\n")
    fake.chmod(0o755)
    builder = BuildKitBuilder(BuilderOptions(instance="x", clients=(str(fake), "no-such-docker")))
    if builder_finds_plugin():
        pytest.skip("this machine has the buildx plugin")

    async def write(_: bytes) -> None:
        pass

    request = BuildRequest(environment=1, folder=tmp_path, build=Build(), tags=(), cache_scope="x")
    with pytest.raises(Fault, match="No docker command line"):
        await builder.build(request, write)
    (finding,) = await builder.check()
    assert finding.severity is Severity.BAD
    await builder.close()


def builder_finds_plugin() -> bool:
    folders = ("/usr/libexec/docker", "/usr/lib/docker", "/usr/local/lib/docker", "/usr/local/libexec/docker")
    return any(Path(folder, "cli-plugins", "docker-buildx").exists() for folder in (*folders, "/root/.docker"))
