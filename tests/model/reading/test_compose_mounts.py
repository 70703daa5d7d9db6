import pytest

from revieee.model.stack import MountedFile, TmpfsMount, VolumeMount
from revieee.testing.trees import Link, Program
from support.manifests import compose, faults, notices, reading, service, web


def test_named_volumes_in_both_forms() -> None:
    manifest = compose(
        "services:\n  web:\n    image: a\n    ports: [80]\n    volumes:\n      - data:/data\n      - logs:/logs:ro\n"
        "      - {type: volume, source: data, target: /again/, read_only: true}\n"
        "volumes: {data: , logs: {}, unused: }\n"
    )
    assert manifest.stack.service("web").volumes == (
        VolumeMount(volume="data", target="/data"),
        VolumeMount(volume="logs", target="/logs", read_only=True),
        VolumeMount(volume="data", target="/again", read_only=True),
    )
    assert manifest.stack.volumes == ("data", "logs")


def test_memory_in_both_forms() -> None:
    found = web("tmpfs: [/run, '/tmp:size=64m,mode=1777']\nvolumes: [{type: tmpfs, target: /t, tmpfs: {size: 1k}}]")
    assert found.tmpfs == (
        TmpfsMount(target="/t", size=1024),
        TmpfsMount(target="/run"),
        TmpfsMount(target="/tmp", size=64 * 2**20, mode=0o1777),  # noqa: S108 -- a path in the container
    )


def test_files_and_folders_of_the_checkout_are_copied_in() -> None:
    text = (
        "services:\n  web:\n    image: a\n    ports: [80]\n    volumes:\n      - ./conf:/etc/app:ro\n"
        "      - {type: bind, source: ./one, target: /one}\n      - $PWD/one:/two\n"
    )
    manifest = compose(text, conf__a="A", conf__deep__run=Program("#!/bin/sh"), conf__link=Link("a"), one="1")
    assert manifest.stack.service("web").files == (
        MountedFile(target="/etc/app/a", content=b"A"),
        MountedFile(target="/etc/app/deep/run", content=b"#!/bin/sh", mode=0o755),
        MountedFile(target="/etc/app/link", content=b"A"),
        MountedFile(target="/one", content=b"1"),
        MountedFile(target="/two", content=b"1"),
    )
    assert "compose.yaml:6: Files of the repository are copied" in notices(manifest)


def test_mounts_of_the_checkout_can_be_left_out() -> None:
    text = "services:\n  web: {image: a, ports: [80], volumes: ['.:/app', 'v:/v']}\nvolumes: {v: }\n"
    manifest = reading({"compose.yaml": text, "revieee.yml": "services: {web: {mounts: false}}"})
    assert manifest.stack.service("web").files == ()
    assert len(manifest.stack.service("web").volumes) == 1


def test_a_missing_folder_is_a_fault_only_where_it_must_exist() -> None:
    long = "{type: bind, source: ./no, target: /no, bind: {create_host_path: false}}"
    assert "is not in the repository" in faults(f"services: {{web: {{image: a, ports: [80], volumes: [{long}]}}}}")[0]


def test_configs_and_secrets() -> None:
    text = """
services:
  web:
    image: a
    ports: [80]
    configs: [app, {source: app, target: /etc/app.conf, uid: "33", gid: "33", mode: 0440}]
    secrets: [token, {source: inline, target: password, mode: 256}, {source: env, target: /run/env}]
configs: {app: {file: ./app.conf}}
secrets: {token: {file: token.txt}, inline: {content: "pw ${A}"}, env: {environment: B}}
"""
    found = service(text.replace("256", "0400"), **{"app.conf": "c", "token.txt": "t", ".env": "A=1\nB=2"})
    assert found.files == (
        MountedFile(target="/app", content=b"c", mode=0o444),
        MountedFile(target="/etc/app.conf", content=b"c", mode=0o440, uid=33, gid=33),
        MountedFile(target="/run/secrets/token", content=b"t", mode=0o444),
        MountedFile(target="/run/secrets/password", content=b"pw 1", mode=0o400),
        MountedFile(target="/run/env", content=b"2", mode=0o444),
    )


def test_configs_that_are_not_there() -> None:
    text = "services:\n  web: {image: a, ports: [80], configs: [%s]}\nconfigs:\n  app: {file: no.conf}\n  two: {}\n"
    assert faults(text % "ap")[0].startswith("compose.yaml:2: `configs`: `ap` is not declared. Did you mean `app`?")
    assert faults(text % "app")[0].startswith("compose.yaml:4: `configs`: there is no file `no.conf`")
    assert faults(text % "two")[0].startswith("compose.yaml:5: `configs`: `two` needs one of")


VOLUMES = [f"      - v:/v{n}\n" for n in range(101)]
TMPFS = [f"      - /t{n}\n" for n in range(101)]
"""One more than may be."""
TOO_MANY = "A service mounts 100 things at most: `volumes`, `tmpfs`, `configs` and `secrets` together."


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (["    volumes:\n", *VOLUMES], 106),
        (["    tmpfs:\n", *TMPFS], 106),
        (["    volumes:\n", *VOLUMES[:60], "    tmpfs:\n", *TMPFS[:41]], 107),
        (["    tmpfs:\n", *TMPFS[:100], "    configs: [c]\n    secrets: [c]\n"], 106),
        (["    tmpfs:\n", *TMPFS[:100], "    secrets: [c]\n"], 106),
        (["    configs:\n", *["      - {source: c, target: /c}\n"] * 101], 106),
    ],
)
def test_a_service_mounts_a_hundred_things_at_most(lines: list[str], line: int) -> None:
    head = "services:\n  web:\n    image: a\n    ports: [80]\n"
    tail = "volumes: {v: }\nconfigs: {c: {content: a}}\nsecrets: {c: {content: a}}\n"
    (fault,) = faults(head + "".join(lines) + tail)
    assert fault.startswith(f"compose.yaml:{line}: {TOO_MANY}")
    assert compose(head + "".join(lines[:101]) + tail).notices == (), "a hundred are fine"


def test_volumes_of_other_services_count_as_well() -> None:
    services = "".join(f"  s{n}:\n    image: a\n    volumes:\n{''.join(VOLUMES[n : n + 99])}" for n in (0, 2))
    text = f"services:\n  web:\n    image: a\n    ports: [80]\n    volumes_from: [s0, s2]\n{services}volumes: {{v: }}\n"
    (fault,) = faults(text)
    assert fault.startswith(f"compose.yaml:5: {TOO_MANY}")
