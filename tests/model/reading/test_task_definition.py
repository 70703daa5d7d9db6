import pytest

from revieee.model.stack import (
    Condition,
    Dependency,
    Exposure,
    Healthcheck,
    Restart,
    ServiceLimits,
    Ulimit,
    VolumeMount,
)
from support.manifests import faults, notices, reading

RUBY = """
family: shop
container_definitions:
  - name: app
    image: registry.example.com/shop:latest
    memory: 512
    cpu: 10
    essential: true
    entry_point: [/bin/sh, -c]
    command: ["git fetch && git checkout $BRANCH && bin/serve"]
    environment:
      - {name: RAILS_ENV, value: staging}
      - {name: PORT, value: 3000}
    port_mappings:
      - {container_port: 3000, host_port: 0, protocol: tcp}
    links: ["db:mysql"]
    mount_points: [{source_volume: bundle, container_path: /bundle, read_only: false}]
    depends_on: [{container_name: db, condition: HEALTHY}]
    ulimits: [{name: nofile, soft_limit: 1024, hard_limit: 2048}]
    docker_labels: {team: shop}
    working_directory: /app
    stop_timeout: 5
    linux_parameters: {init_process_enabled: true, shared_memory_size: 64}
  - name: db
    image: mysql:5.7
    memory_reservation: 300
    essential: false
    port_mappings: [{container_port: 3306, host_port: 3306}]
    health_check: {command: [CMD, mysqladmin, ping], interval: 5, timeout: 2, retries: 3, start_period: 10}
volumes:
  - {name: bundle, host: {source_path: /var/bundle}}
"""


def camel(text: str) -> str:
    head, *words = text.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in words)


@pytest.mark.parametrize(
    "text", [RUBY, " ".join(camel(word) if "_" in word and word[-1:] == ":" else word for word in RUBY.split(" "))]
)
def test_a_task_definition_of_2017_in_both_spellings(text: str) -> None:
    manifest = reading({"task_definition.yml": text})
    stack = manifest.stack
    app, db = stack.services
    assert stack.commit_in_hash
    assert stack.exposures == (Exposure(service="app", port=3000),)
    assert stack.volumes == ("bundle",)
    assert app.command == ("git fetch && git checkout $BRANCH && bin/serve",)
    assert app.entrypoint == ("/bin/sh", "-c")
    assert dict(app.environment) == {"RAILS_ENV": "staging", "PORT": "3000"}
    assert app.depends_on == (Dependency(service="db", condition=Condition.HEALTHY),)
    assert app.volumes == (VolumeMount(volume="bundle", target="/bundle"),)
    assert app.limits == ServiceLimits(memory=512 * 2**20)
    assert app.ulimits == (Ulimit(name="nofile", soft=1024, hard=2048),)
    assert (app.restart, db.restart) == (Restart.UNLESS_STOPPED, Restart.NO)
    assert (app.init, app.shm_size, app.stop_grace_period) == (True, 64 * 2**20, 5.0)
    assert db.aliases == ("mysql",)
    assert db.healthcheck == Healthcheck(
        test=("CMD", "mysqladmin", "ping"), interval=5, timeout=2, retries=3, start_period=10
    )
    assert dict(manifest.injected)["BRANCH"] == "feature/cart"
    assert "not the machine's folder `/var/bundle`" in notices(manifest)


def container(more: str) -> str:
    return (
        f"containerDefinitions:\n  - name: app\n    image: a\n    portMappings: [{{containerPort: 80}}]\n    {more}\n"
    )


@pytest.mark.parametrize(
    "more",
    [
        "privileged: true",
        "linuxParameters: {capabilities: {add: [ALL]}}",
        "linuxParameters: {devices: [{hostPath: /dev/sda}]}",
        "dockerSecurityOptions: [x]",
        "systemControls: [{namespace: net.x, value: 1}]",
        "resourceRequirements: [{type: GPU, value: 1}]",
        "secrets: [{name: A, valueFrom: x}]",
        "extraHosts: [{hostname: x, ipAddress: 169.254.170.2}]",
        "mountPoints: [{sourceVolume: nope, containerPath: /x}]",
        "mountPoints: [{containerPath: /x}]",
        "links: [nope]",
        "imgae: x",
        "dependsOn: [{containerName: app, condition: START}]",
        "dependsOn: [{condition: START}]",
        "memory: lots",
    ],
)
def test_what_reaches_out_or_cannot_work_is_refused_with_its_line(more: str) -> None:
    found = faults({"task_definition.yml": container(more)})
    assert found[0].startswith(("task_definition.yml:5: ", "task_definition.yml:2: "))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("family: x", "no `containerDefinitions`"),
        ("pidMode: host\n" + container(""), "`pidMode` is refused"),
        ("volumes: [{name: v, host: {sourcePath: /var/run/docker.sock}}]\n" + container(""), "power over the machine"),
        ("containerDefinitions: [{image: a}]", "a `name` of its own"),
        ("containerDefinitions: [{name: a, image: a}, {name: a, image: a}]", "a `name` of its own"),
    ],
)
def test_task_definitions_that_cannot_run(text: str, words: str) -> None:
    assert words in "\n".join(faults({"task_definition.yml": text}))
