import pytest

from revieee.model.manifest import Limits
from revieee.model.stack import (
    Build,
    Condition,
    Dependency,
    Healthcheck,
    Restart,
    ServiceLimits,
    Ulimit,
)
from support.manifests import compose, faults, notices, reading, service, web


def test_an_ordinary_service() -> None:
    found = web("""
command: npm run "start app"
entrypoint: [/entry, --x]
user: 1000:1000
working_dir: /app
hostname: shop
init: true
read_only: yes
tty: on
stdin_open: "true"
shm_size: 64m
stop_signal: SIGINT
stop_grace_period: 0m30s
platform: linux/amd64
labels: {a: 1, b: }
""")
    assert found.command == ("npm", "run", "start app")
    assert found.entrypoint == ("/entry", "--x")
    assert (found.user, found.working_dir, found.hostname) == ("1000:1000", "/app", "shop")
    assert (found.init, found.read_only, found.tty, found.stdin_open) == (True, True, True, True)
    assert (found.shm_size, found.stop_signal, found.stop_grace_period) == (64 * 2**20, "SIGINT", 30.0)
    assert (found.platform, found.labels) == ("linux/amd64", (("a", "1"), ("b", "")))


def test_a_long_stop_is_lowered_with_a_notice() -> None:
    manifest = compose("services:\n  web:\n    image: a\n    ports: [80]\n    stop_grace_period: 10m\n")
    assert manifest.stack.service("web").stop_grace_period == 60
    assert "compose.yaml:5: `stop_grace_period` is lowered to 60 s" in notices(manifest)


def test_no_command_leaves_the_images_and_an_empty_one_clears_it() -> None:
    assert web("command:").command is None
    assert web("command: []").command == ()
    assert web("command: ''").command == ()


def test_environment_in_both_forms() -> None:
    for written in ("{A: no, B: 1.10, C: '', D: }", "[A=no, B=1.10, C=, D, ]"):
        found = web(f"environment: {written}", **{".env": "D=from .env"})
        assert dict(found.environment) == {"A": "no", "B": "1.10", "C": "", "D": "from .env"}


def test_a_variable_without_value_is_left_out_with_a_notice() -> None:
    manifest = compose("services:\n  web:\n    image: a\n    ports: [80]\n    environment:\n      - TOKEN\n")
    assert manifest.stack.service("web").environment == ()
    assert "compose.yaml:6: `environment`: `TOKEN` has no value" in notices(manifest)
    assert "only where the repository has a secret of that name" in notices(manifest)


def test_a_build_argument_without_value_promises_no_secret() -> None:
    manifest = compose("services:\n  web:\n    build: {context: ., args: [TOKEN]}\n    ports: [80]\n")
    assert "`args` of `build`: `TOKEN` has no value and is not in `.env`, so it is not set." in notices(manifest)


def test_whoever_writes_a_secret_as_a_variable_is_told_that_it_is_hidden_and_not_to_commit_it() -> None:
    written = "services:\n  web:\n    image: a\n    ports: [80]\n    environment: {TOKEN: '${TOKEN}'}\n"
    assert "A secret is not filled in: services have it under its name, unless" in notices(compose(written))


def test_env_files_lie_below_environment() -> None:
    found = web(
        "env_file: [a.env, {path: b.env}, {path: no.env, required: false}, {path: raw.env, format: raw}]\n"
        "environment: {C: environment}",
        **{
            "a.env": "A=a\nB=a\nC=a\n",
            "b.env": "B=${A:-b}\nX=${DOT}\n",
            ".env": "DOT=dot",
            "raw.env": "R='r'",
        },
    )
    assert dict(found.environment) == {"A": "a", "B": "b", "C": "environment", "X": "dot", "R": "'r'"}


def test_a_missing_env_file_says_three_ways_out() -> None:
    [fault] = faults("services:\n  web:\n    image: a\n    ports: [80]\n    env_file: .env\n")
    assert fault.startswith("compose.yaml:5: `env_file`: `.env` is not in the repository.")
    assert "required: false" in fault


def test_a_fault_in_an_env_file_has_its_own_place() -> None:
    text = "services: {web: {image: a, ports: [80], env_file: x/a.env}}"
    assert faults({"compose.yaml": text, "x/a.env": "A=1\n!\n"}) == [
        "x/a.env:2: `!` is no variable. Write `NAME=value`."
    ]


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (".", Build()),
        ("api", Build(context="api", dockerfile="api/Dockerfile")),
        ("./api/", Build(context="api", dockerfile="api/Dockerfile")),
        ("{context: api, dockerfile: ../Dockerfile}", Build(context="api", dockerfile="Dockerfile")),
        ("{context: ., target: dev, args: {A: 1, B: no}}", Build(target="dev", args=(("A", "1"), ("B", "no")))),
        ("{args: [A=1, HOST]}", Build(args=(("A", "1"), ("HOST", "h")))),
        ("{context: ., dockerfile_inline: FROM x}", Build(inline="FROM x")),
    ],
)
def test_builds(build: str, expected: Build) -> None:
    files = {"compose.yaml": f"services: {{web: {{ports: [80], build: {build}}}}}", ".env": "HOST=h"}
    files |= {"Dockerfile": "FROM x", "api/Dockerfile": "FROM x"}
    assert reading(files).stack.service("web").build == expected


def test_build_wins_over_image_and_others_may_run_it_by_name() -> None:
    text = "services:\n  web: {build: ., image: acme/shop, ports: [80]}\n  job: {image: acme/shop, command: work}\n"
    first, second = compose(text).stack.services
    assert first.image is second.image is None
    assert first.build == second.build == Build()


@pytest.mark.parametrize(
    "image", ["nginx", "postgres:16", "registry.example.com/a/b:c", "localhost:5000/a_b", "r:5000/x@sha256:" + "0" * 64]
)
def test_names_of_images(image: str) -> None:
    assert service(f"services: {{web: {{image: '{image}', ports: [80]}}}}").image == image


@pytest.mark.parametrize("image", ["-x", "A", "a b", "a;b", "$$(id)", "a:", "../x", "a//b", "a@sha256:1", "x" * 500])
def test_what_is_no_name_of_an_image(image: str) -> None:
    assert "is no name of an image" in faults(f"services: {{web: {{image: '{image}', ports: [80]}}}}")[0]


def test_dependencies_in_both_forms() -> None:
    text = "services:\n  web: {image: a, ports: [80], depends_on: %s}\n  db: {image: b}\n  job: {image: b}\n"
    assert service(text % "[db]").depends_on == (Dependency(service="db"),)
    long = "{db: {condition: service_healthy, restart: true}, job: {condition: service_completed_successfully}}"
    assert service(text % long).depends_on == (
        Dependency(service="db", condition=Condition.HEALTHY),
        Dependency(service="job", condition=Condition.COMPLETED),
    )
    optional = compose(text % "{no: {condition: service_started, required: false}}")
    assert optional.stack.service("web").depends_on == ()
    assert "`no` is not there and not required" in notices(optional)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "services:\n  web: {image: a, depends_on: [dbx]}\n  db: {image: a}",
            "compose.yaml:2: `depends_on`: there is no",
        ),
        ("services:\n  a: {image: a, depends_on: [b]}\n  b: {image: a, depends_on: [a]}", "circle: `a` → `b` → `a`"),
        ("services:\n  a: {image: a, depends_on: [a]}", "circle: `a` → `a`"),
        ("services:\n  a: {image: a, depends_on: [b]}\n  b: {image: a, profiles: [x]}", "`b` is off"),
        ("services:\n  a: {image: a, depends_on: {b: {condition: ready}}}\n  b: {image: a}", "must be one of"),
        ("services:\n  web: {ports: [80]}", "compose.yaml:2: Service `web` has neither `image` nor `build`"),
        ("services:\n  'a b': {image: a}", "no name of a service"),
    ],
)
def test_services_that_cannot_run(text: str, fault: str) -> None:
    assert fault in "\n".join(faults(text))


def test_links_are_dependencies_with_another_name() -> None:
    manifest = compose("services:\n  web: {image: a, ports: [80], links: ['db:database', db]}\n  db: {image: b}\n")
    assert manifest.stack.service("web").depends_on == (Dependency(service="db"),)
    assert manifest.stack.service("db").aliases == ("database",)


def test_volumes_from_another_service() -> None:
    manifest = compose(
        "services:\n  web: {image: a, ports: [80], volumes_from: ['data:ro']}\n"
        "  data: {image: b, volumes: ['v:/v']}\nvolumes: {v: }\n"
    )
    assert [(one.volume, one.read_only) for one in manifest.stack.service("web").volumes] == [("v", True)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{test: curl -f x, interval: 5s, timeout: 500ms, retries: 3, start_period: 1m}",
         Healthcheck(test=("CMD-SHELL", "curl -f x"), interval=5, timeout=0.5, retries=3, start_period=60)),
        ("{test: [CMD, curl, x]}", Healthcheck(test=("CMD", "curl", "x"))),
        ("{test: [NONE]}", Healthcheck(test=("NONE",))),
        ("{disable: true}", Healthcheck(test=("NONE",))),
        ("{interval: 1h2m3s}", Healthcheck(test=(), interval=3723)),
    ],
)  # fmt: skip
def test_healthchecks(written: str, expected: Healthcheck) -> None:
    assert web(f"healthcheck: {written}").healthcheck == expected


@pytest.mark.parametrize(("written", "seconds"), [("1ms", 1), ("0.1ns", 1), ("999ms", 1), ("1s", 1), ("0", 0)])
def test_a_healthcheck_once_a_second_at_most(written: str, seconds: float) -> None:
    text = f"services:\n  web:\n    image: a\n    ports: [80]\n    healthcheck:\n      interval: {written}\n"
    manifest = compose(text)
    assert manifest.stack.service("web").healthcheck == Healthcheck(test=(), interval=seconds)
    raised = "compose.yaml:6: `interval` is raised to 1 s" in notices(manifest)
    assert raised == (written not in ("1s", "0"))


@pytest.mark.parametrize(
    ("written", "policy", "tries"),
    [
        ("restart: no", Restart.NO, None),
        ("restart: always", Restart.UNLESS_STOPPED, None),
        ("restart: unless-stopped", Restart.UNLESS_STOPPED, None),
        ("restart: on-failure", Restart.ON_FAILURE, None),
        ("restart: on-failure:3", Restart.ON_FAILURE, 3),
        ("deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}", Restart.ON_FAILURE, 2),
        ("deploy: {restart_policy: {}}", Restart.UNLESS_STOPPED, None),
    ],
)
def test_restarts(written: str, policy: Restart, tries: int | None) -> None:
    found = web(written)
    assert (found.restart, found.max_retries) == (policy, tries)


def test_limits_may_be_lower_but_not_higher() -> None:
    found = web("mem_limit: 512m\ncpus: 0.5\npids_limit: 100\nulimits: {nofile: 1024, nproc: {soft: 1, hard: 2}}")
    assert found.limits == ServiceLimits(memory=512 * 2**20, cpus=0.5, pids=100)
    assert found.ulimits == (Ulimit(name="nofile", soft=1024, hard=1024), Ulimit(name="nproc", soft=1, hard=2))
    text = (
        "services: {web: {image: a, ports: [80], deploy: {resources: {limits: {memory: 8g, cpus: '9', pids: 9999}}}}}"
    )
    high = compose(text)
    most = Limits()
    assert high.stack.service("web").limits == ServiceLimits(memory=most.memory, cpus=most.cpus, pids=most.pids)
    assert notices(high).count("is lowered to") == 3


def test_names_of_networks_become_one_network_and_aliases_stay() -> None:
    manifest = compose(
        "services:\n  web: {image: a, ports: [80], networks: {front: {aliases: [www, shop]}, back: }}\n"
        "networks: {front: , back: {internal: true, ipam: {config: [{subnet: 10.0.0.0/24}]}}}\n"
    )
    assert manifest.stack.service("web").aliases == ("www", "shop")
    told = notices(manifest)
    assert "All `networks` become one" in told
    assert "compose.yaml:3: `ipam` is rewritten" in told
    assert "is not declared" in faults("services: {web: {image: a, ports: [80], networks: [front]}}")[0]


def test_extra_hosts() -> None:
    expected = (("db", "10.0.0.1"), ("six", "::1"), ("me", "127.0.0.1"))
    for written in ("['db:10.0.0.1', 'six:::1', 'me=127.0.0.1']", "{db: 10.0.0.1, six: ['::1'], me: 127.0.0.1}"):
        assert web(f"extra_hosts: {written}").extra_hosts == expected


def test_profiles_are_off_unless_named() -> None:
    text = "services:\n  web: {image: a, ports: [80]}\n  debug: {image: a, profiles: [dev], privileged: true}\n"
    assert [one.name for one in compose(text).stack.services] == ["web"]
    on = compose(text.replace(", privileged: true", ""), **{".env": "COMPOSE_PROFILES=x,dev"})
    assert [one.name for one in on.stack.services] == ["web", "debug"]
    named = reading({"compose.yaml": text.replace("privileged", "init"), "revieee.yml": "profiles: [dev]"})
    assert [one.name for one in named.stack.services] == ["web", "debug"]
    assert "profiles that are off" in faults("services: {debug: {image: a, profiles: [dev]}}")[0]


def test_one_notice_for_what_is_the_same_in_many_places() -> None:
    manifest = compose(
        "services:\n  a: {image: a, ports: [80], logging: {driver: x}}\n  b: {image: a, ports: [81], logging: {}}\n"
        "  c: {image: a, ports: [82],\n    logging: {driver: y}}\n"
    )
    assert "compose.yaml:2: `logging` is left out" in notices(manifest)
    assert "(also line 5)" in notices(manifest)


def test_values_of_the_wrong_form_are_named() -> None:
    found = faults(
        "services:\n  web:\n    image: [a]\n    ports: 80\n    environment: text\n    init: maybe\n"
        "    mem_limit: lots\n    stop_grace_period: soon\n    command: 'unclosed \"'\n"
        "    depends_on: {db: 1}\n    pids_limit: many\n"
    )
    assert [int(fault.split(":")[1]) for fault in found] == [3, 4, 5, 6, 7, 8, 9, 10, 10, 11]
