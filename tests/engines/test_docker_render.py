from dataclasses import replace
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revieee.engines.docker import render
from revieee.engines.docker.names import Names, bridge_prefix, environment_of, part
from revieee.model.image import Image
from revieee.model.policy import EngineOptions
from revieee.model.resolve import ResolvedHook, ResolvedStack, Task
from revieee.model.route import Endpoint
from revieee.model.stack import (
    Healthcheck,
    Hook,
    Restart,
    Service,
    ServiceLimits,
    TmpfsMount,
    Ulimit,
    VolumeMount,
)
from revieee.model.tags import built_here
from revieee.ports import Placement

Json: TypeAlias = Any  # what a request's body is made of
Pairs: TypeAlias = Any  # pairs of text

PLACE = Placement(
    instance="demo",
    environment=7,
    incarnation=2,
    name="octo/cat#12",
    release="0123abcd",
    subnet="10.208.0.64/26",
    hostnames=("cat-pr-12.localhost",),
)
IMAGE = Image(id="sha256:aa", reference="busybox")
OPTIONS = EngineOptions(instance="demo")


def rendered(service: Service, *, image: Image = IMAGE, options: EngineOptions = OPTIONS, **more: Pairs) -> Json:
    task = replace(Task(key=f"{service.name}-1", service=service, image=image), **more)
    addresses = (("web-1", "10.208.0.66"), ("db-1", "10.208.0.67"))
    return render.container(PLACE, ResolvedStack(tasks=(task,), addresses=addresses), task, options)


def test_a_network_has_our_bridge_and_its_first_address_as_gateway() -> None:
    network = render.network(PLACE, OPTIONS)
    assert network["IPAM"] == {"Driver": "default", "Config": [{"Subnet": "10.208.0.64/26", "Gateway": "10.208.0.65"}]}
    assert network["Name"] == "rv-demo-7-2"
    assert network["Options"] == {"com.docker.network.bridge.name": Names(PLACE).bridge("rv")}


def test_what_is_injected_loses_against_the_author() -> None:
    value = rendered(Service(name="web", environment=(("A", "author"),)), injected=(("A", "ours"), ("PORT", "8080")))
    assert value["Env"] == ["A=author", "PORT=8080"]


def test_declared_peers_and_itself_are_found_by_address() -> None:
    service = Service(name="web", aliases=("www",), extra_hosts=(("api.example", "192.0.2.1"), ("db", "192.0.2.9")))
    value = rendered(service, peers=(("db", "db-1"),), options=replace(OPTIONS, router=Endpoint("172.17.0.1", 8080)))
    assert value["HostConfig"]["ExtraHosts"] == [
        "web:10.208.0.66",
        "www:10.208.0.66",
        "db:10.208.0.67",
        "api.example:192.0.2.1",
        "cat-pr-12.localhost:172.17.0.1",
    ]
    endpoint = value["NetworkingConfig"]["EndpointsConfig"]["rv-demo-7-2"]
    assert endpoint == {"Aliases": ["web", "www"], "IPAMConfig": {"IPv4Address": "10.208.0.66"}}


def test_limits_are_the_policy_s_unless_the_author_says() -> None:
    usual = rendered(Service(name="web"))["HostConfig"]
    assert (usual["Memory"], usual["MemorySwap"], usual["NanoCpus"], usual["PidsLimit"]) == (2**29, 2**29, 10**9, 512)
    own = rendered(Service(name="web", limits=ServiceLimits(memory=2**20, cpus=0.25, pids=9)))["HostConfig"]
    assert (own["Memory"], own["MemorySwap"], own["NanoCpus"], own["PidsLimit"]) == (2**20, 2**20, 250_000_000, 9)


def test_nothing_but_the_listed_capabilities_is_left() -> None:
    host = rendered(Service(name="web"))["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert {"NET_RAW", "MKNOD", "SYS_CHROOT", "SETFCAP", "AUDIT_WRITE"}.isdisjoint(host["CapAdd"])
    assert {"CHOWN", "SETUID", "SETGID", "NET_BIND_SERVICE"} <= set(host["CapAdd"])
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert not {"Binds", "Privileged", "Devices", "PidMode", "PortBindings", "VolumesFrom"} & set(host)


def test_output_is_bounded() -> None:
    host = rendered(Service(name="web"))["HostConfig"]
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10485760", "max-file": "2"}}


def test_every_path_that_an_image_declares_has_a_labelled_volume() -> None:
    image = replace(IMAGE, volumes=("/data/", "/more", "/scratch"))
    service = Service(
        name="web",
        volumes=(VolumeMount(volume="my_data", target="/data", read_only=True),),
        tmpfs=(TmpfsMount(target="/scratch", size=1024, mode=0o1777),),
    )
    host = rendered(service, image=image)["HostConfig"]
    own, private = host["Mounts"]
    assert (own["Target"], own["ReadOnly"]) == ("/data", True)
    assert own["Source"].startswith("rv-demo-7-2-v-my-data-")
    assert private["Target"] == "/more"
    assert private["VolumeOptions"]["Labels"]["revieee.key"] == "web-1"
    assert "revieee.key" not in own["VolumeOptions"]["Labels"], "the author's stays when the container goes"
    assert host["Tmpfs"] == {"/scratch": "rw,nosuid,nodev,size=1024,mode=1777"}


def test_an_empty_entrypoint_clears_the_image_s() -> None:
    assert rendered(Service(name="web", entrypoint=()))["Entrypoint"] == [""]
    assert "Entrypoint" not in rendered(Service(name="web"))
    assert rendered(Service(name="web", entrypoint=("/run", "x")))["Entrypoint"] == ["/run", "x"]


def test_the_author_s_other_wishes() -> None:
    service = Service(
        name="web",
        user="1000:1000",
        working_dir="/app",
        hostname="box",
        stop_signal="SIGINT",
        stop_grace_period=2.6,
        init=True,
        read_only=True,
        shm_size=64,
        restart=Restart.ON_FAILURE,
        max_retries=3,
        ulimits=(Ulimit(name="nofile", soft=10, hard=20),),
        healthcheck=Healthcheck(test=("CMD", "true"), interval=1.5, retries=2),
    )
    value = rendered(service)
    assert (value["User"], value["WorkingDir"], value["Hostname"]) == ("1000:1000", "/app", "box")
    assert (value["StopSignal"], value["StopTimeout"]) == ("SIGINT", 3)
    assert value["Healthcheck"] == {"Test": ["CMD", "true"], "Interval": 1_500_000_000, "Retries": 2}
    host = value["HostConfig"]
    assert (host["Init"], host["ReadonlyRootfs"], host["ShmSize"]) == (True, True, 64)
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 10, "Hard": 20}]


@pytest.mark.parametrize(
    ("written", "of_image", "seconds"),
    [(None, 0.001, 1), (None, 5, 5), (None, None, 30), (0.001, 5, 1), (5, 0.001, 5), (0, 0.001, 1), (None, -1, 1)],
)
def test_a_healthcheck_runs_once_a_second_at_most(
    written: float | None, of_image: float | None, seconds: float
) -> None:
    image = replace(IMAGE, healthcheck=True, health_interval=of_image)
    for check in (Healthcheck(test=("CMD", "x"), interval=written), Healthcheck(test=(), interval=written)):
        value = rendered(Service(name="web", healthcheck=check), image=image)
        assert value["Healthcheck"] == {"Test": list(check.test), "Interval": seconds * 10**9}
    if written is None:
        assert rendered(Service(name="web"), image=image)["Healthcheck"] == {"Test": [], "Interval": seconds * 10**9}


def test_nor_does_it_while_the_service_starts() -> None:
    image = replace(IMAGE, healthcheck=True, health_rush=True)
    check = Healthcheck(test=("CMD", "x"), start_period=60)
    assert rendered(Service(name="web", healthcheck=check), image=image)["Healthcheck"]["StartPeriod"] == 10**6


def test_without_a_healthcheck_there_is_none() -> None:
    assert "Healthcheck" not in rendered(Service(name="web"))
    check = Healthcheck(test=("NONE",))
    image = replace(IMAGE, healthcheck=True, health_interval=0.001)
    assert rendered(Service(name="web", healthcheck=check), image=image)["Healthcheck"] == {"Test": ["NONE"]}


def test_a_hook_is_its_task_with_another_command_run_once() -> None:
    service = Service(name="web", restart=Restart.UNLESS_STOPPED, healthcheck=Healthcheck(test=("CMD", "true")))
    task = Task(key="web-1", service=service, image=IMAGE, port=8080)
    hook = ResolvedHook(name="hook-deploy-1", task=task, hook=Hook(service="web", command=("migrate",)))
    stack = ResolvedStack(tasks=(task,), addresses=(("hook-deploy-1", "10.208.0.70"),))
    value: Json = render.hook_container(PLACE, stack, hook, OPTIONS)
    assert (value["Cmd"], value["Healthcheck"]) == (["migrate"], {"Test": ["NONE"]})
    assert value["HostConfig"]["RestartPolicy"] == {"Name": "no"}
    endpoint = value["NetworkingConfig"]["EndpointsConfig"]["rv-demo-7-2"]
    assert endpoint == {"Aliases": [], "IPAMConfig": {"IPv4Address": "10.208.0.70"}}
    assert value["Labels"]["revieee.key"] == "hook-deploy-1"
    assert value["Labels"]["revieee.port"] == "", "a hook may complete"


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_makes_a_name_and_different_texts_different_ones(first: str, second: str) -> None:
    assert set(part(first)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert 0 < len(part(first)) <= 63
    assert (part(first) == part(second)) == (first == second)


@given(st.text(min_size=1, max_size=40), st.integers(min_value=1, max_value=2**62))
def test_bridges_fit_an_interface_s_name_and_begin_as_the_walls_expect(instance: str, environment: int) -> None:
    place = replace(PLACE, instance=instance, environment=environment)
    bridge = Names(place).bridge("rv")
    assert len(bridge) == 15
    assert bridge.startswith(bridge_prefix("rv", instance))


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_the_image_of_a_read_only_service_is_known_as_built_here(instance: str, key: str) -> None:
    assert built_here(instance, Names(replace(PLACE, instance=instance)).filled_image(key))


def test_labels_that_are_not_ours_name_no_environment() -> None:
    for text in ("", "-1", "x", "\N{FULLWIDTH DIGIT ONE}", "9" * 20, "1; drop"):
        assert environment_of({"revieee.environment": text}) is None
    assert environment_of(None) is None
    assert environment_of({"revieee.environment": "12"}) == 12
