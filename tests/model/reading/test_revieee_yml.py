import pytest

from revieee.model.manifest import Limits, When
from revieee.model.stack import Build, Exposure, Hook, Hooks, Probe, ServiceLimits
from revieee.testing.trees import Content
from support.manifests import faults, notices, reading

FILES: dict[str, Content] = {
    "compose.yaml": "services:\n"
    "  web: {build: ., ports: [3000], environment: {A: compose, B: compose}}\n"
    "  api: {image: api, ports: [4000], deploy: {resources: {limits: {memory: 1g, pids: 50}}}}\n"
    "  db: {image: postgres:16}\n",
    "Dockerfile": "FROM scratch",
}


def with_manifest(text: str) -> dict[str, Content]:
    return {**FILES, "revieee.yml": text}


def test_five_lines_for_a_small_team() -> None:
    stack = reading(
        with_manifest("""
expose: [web, api]
env: {RAILS_ENV: review, API_URL: $REVIEEE_URL_API}
hooks: {create: bin/rails db:setup, deploy: bin/rails db:migrate}
health: /healthz
when: {ignore_paths: ["docs/", "**/*.md"]}
""")
    ).stack
    assert stack.exposures == (Exposure(service="web", port=3000), Exposure(service="api", port=4000))
    assert dict(stack.service("web").environment)["API_URL"] == "http://api-shop-pr-12.review.test:8080"
    assert stack.hooks.create == Hook(service="web", command=("/bin/sh", "-c", "bin/rails db:setup"))
    assert [one.probe.path for one in stack.services] == ["/healthz", "/healthz", "/"]


@pytest.mark.parametrize(
    ("expose", "expected"),
    [
        ("api", [("api", 4000)]),
        ("[api, web]", [("api", 4000), ("web", 3000)]),
        ("{web: 80, db: }", [("web", 80), ("db", None)]),
        ("[web: 80, db]", [("web", 80), ("db", None)]),
    ],
)
def test_expose_says_what_gets_a_url_and_in_which_order(expose: str, expected: list[tuple[str, int | None]]) -> None:
    manifest = reading(with_manifest(f"expose: {expose}"))
    assert [(one.service, one.port) for one in manifest.stack.exposures] == expected
    assert manifest.hostnames[0] == (expected[0][0], "shop-pr-12")


def test_env_lies_over_that_of_the_compose_file_and_a_services_own_over_both() -> None:
    stack = reading(with_manifest("env: {B: all, C: all}\nservices: {web: {env: [C=web]}}")).stack
    assert dict(stack.service("web").environment) == {"A": "compose", "B": "all", "C": "web"}
    assert dict(stack.service("db").environment) == {"B": "all", "C": "all"}


def test_health_and_limits_for_all_and_for_one() -> None:
    stack = reading(
        with_manifest("""
health: {path: /up, timeout: 2s}
limits: {memory: 512m, cpus: 0.5}
services:
  api:
    health: /ping
    limits: {memory: 256m}
""")
    ).stack
    assert stack.service("web").probe == Probe(path="/up", timeout=2)
    assert stack.service("api").probe == Probe(path="/ping")
    assert stack.service("web").limits == ServiceLimits(memory=512 * 2**20, cpus=0.5)
    assert stack.service("api").limits == ServiceLimits(memory=256 * 2**20, cpus=0.5, pids=50)


def test_what_is_over_the_limit_is_lowered_with_a_notice() -> None:
    text = "limits: {memory: 1t}\nstart_timeout: 1h\nhooks: {create: {command: x, timeout: 9h}}"
    manifest = reading(with_manifest(text))
    most = Limits()
    assert manifest.stack.start_timeout == most.start_timeout
    assert manifest.stack.service("web").limits.memory == most.memory
    assert manifest.stack.hooks.create is not None
    assert manifest.stack.hooks.create.timeout == most.hook_timeout
    said = [(notice.line, notice.words) for notice in manifest.notices if notice.file == "revieee.yml"]
    allows = "the most that this Revieee allows."
    assert said == [
        (1, f"The limit of memory is lowered to 2,147,483,648 bytes, {allows}"),
        (2, f"`start_timeout` is lowered to 600 s, {allows}"),
        (3, f"Hook `create`: `timeout` is lowered to 1,800 s, {allows}"),
    ]


def test_a_destroy_hook_has_two_minutes_at_most() -> None:
    long = reading(with_manifest("hooks: {destroy: {command: x, timeout: 99h}}"))
    assert long.stack.hooks.destroy is not None
    assert long.stack.hooks.destroy.timeout == 120
    assert [one.words.partition(",")[0] for one in long.notices if one.file == "revieee.yml"] == [
        "Hook `destroy`: `timeout` is lowered to 120 s"
    ]
    unset = reading(with_manifest("hooks: {destroy: x}"))
    assert unset.stack.hooks.destroy is not None
    assert unset.stack.hooks.destroy.timeout == 120
    assert not [one for one in unset.notices if one.file == "revieee.yml"]


@pytest.mark.parametrize("cpus", ["1e9", "1000000000000000"])
def test_any_number_of_cpus_is_lowered_to_the_limit(cpus: str) -> None:
    manifest = reading(with_manifest(f"limits: {{cpus: {cpus}}}"))
    assert manifest.stack.service("web").limits.cpus == Limits().cpus
    assert "The limit of CPUs is lowered to 2, the most" in " ".join(map(str, manifest.notices))


def test_hooks_in_all_forms() -> None:
    hooks = reading(
        with_manifest("""
hooks:
  create: [bin/setup, "--force"]
  deploy: {service: api, command: migrate && seed, timeout: 5m}
  destroy: echo $$HOME
""")
    ).stack.hooks
    assert hooks == Hooks(
        create=Hook(service="web", command=("bin/setup", "--force")),
        deploy=Hook(service="api", command=("/bin/sh", "-c", "migrate && seed"), timeout=300),
        destroy=Hook(service="web", command=("/bin/sh", "-c", "echo $HOME"), timeout=120),
    )


def test_a_hook_that_means_its_container_s_variable_is_told_how_to_write_it() -> None:
    text = "env: {A: $NOWHERE}\nhooks: {create: 'psql $DB_URL', deploy: {command: [echo, $X]}, destroy: $$Y}"
    said = [str(one) for one in reading(with_manifest(text)).notices if one.file == "revieee.yml"]
    plain, secrets, mend = (
        "is not set, so nothing stands in its place.",
        "A secret is not filled in: services have it under its name, unless a line sets that name.",
        "for the one that the container has, or set it in `.env`",
    )
    assert said == [
        f"revieee.yml:1: The variable `NOWHERE` {plain} Set it in `.env`, or write `${{NOWHERE:-default}}`. {secrets}",
        f"revieee.yml:2: The variable `DB_URL` {plain} Write `$$DB_URL` {mend}, or write `${{DB_URL:-default}}`.",
        f"revieee.yml:2: The variable `X` {plain} Write `$$X` {mend}, or write `${{X:-default}}`.",
    ]


def test_build_instead_of_compose() -> None:
    assert reading(with_manifest("build: .")).stack.service("web").build == Build()
    long = reading(with_manifest("build: {context: ., target: prod, args: {A: 1}}\nexpose: {web: 5000}")).stack
    assert long.service("web").build == Build(target="prod", args=(("A", "1"),))
    assert long.exposures == (Exposure(service="web", port=5000),)


def test_when() -> None:
    when = reading(
        with_manifest(
            "when: {labels: preview, without_labels: [x], base_branches: [main], paths: [a/**], drafts: false}"
        )
    ).when
    assert when == When(
        labels=("preview",), without_labels=("x",), base_branches=("main",), paths=("a/**",), drafts=False
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("exposee: web", "revieee.yml:1: The manifest: the key `exposee` is unknown. Did you mean `expose`?"),
        ("foo: 1", "It knows `compose`, `build`"),
        ("hooks: {crate: x}", "Did you mean `create`?"),
        ("hooks:\n  create:", "revieee.yml:2: Hook `create` has no command"),
        ("hooks: {create: {service: wep, command: x}}", "there is no service `wep`. Did you mean `web`?"),
        ("expose: [web, web]", "there twice"),
        ("expose: []", "`expose` is empty"),
        ("expose: nope", "there is no service `nope`. There are `web`, `api`, `db`."),
        ("expose: {web: http}", "must be a whole number from 1 to 65535"),
        ("\nservices: {wbe: {env: {}}}", "revieee.yml:2: `services`: there is no service `wbe`"),
        ("services: {web: {port: 1}}", "the key `port` is unknown"),
        ("health: healthz", "Begin with `/`"),
        ("health: '/a b'", "is no path"),
        ("health: {timeout: 2h}", "at most 60s"),
        ("health: [/a]", "must be a path"),
        ("limits: {memory: lots}", "like `512m`"),
        ("limits: {cpus: -1}", "a number of 0.01 or more"),
        ("limits: {cpus: 0.0000000001}", "a number of 0.01 or more"),
        ("limits: {cpus: 1e-99}", "a number of 0.01 or more"),
        ("limits: {pids: few}", "`pids` must be a whole number of -1 or more, not `few`."),
        ("start_timeout: 0s", "`start_timeout` must be longer than 0 s."),
        ("hooks: {create: {command: x, timeout: 0}}", "Hook `create`: `timeout` must be longer than 0 s."),
        ("env: text", "`env` must be a mapping"),
        ("start_timeout: soon", "must be a time like"),
        ("when: {labels: {a: b}}", "must be a list"),
        ("when: {drafts: maybe}", "`true` or `false`"),
        (f"when: {{paths: [{'x' * 201}]}}", "up to 200 characters"),
        ("build: .\ncompose: x.yml", "Keep one of them"),
        ("build: nowhere", "is not there"),
        ("build: {dockerfil: x}", "Did you mean `dockerfile`?"),
        ("- a", "must be a mapping"),
        ("env: {A: $(x)}", "Write `$$` for a dollar sign"),
        ("compose: [{a: b}]", "`compose` must be a path"),
    ],
)
def test_what_is_wrong_says_where_and_what_to_do(text: str, fault: str) -> None:
    found = "\n".join(faults(with_manifest(text)))
    assert fault in found
    assert "revieee.yml:" in found


def test_a_manifest_with_a_task_definition() -> None:
    task = "containerDefinitions: [{name: app, image: a, portMappings: [{containerPort: 80}]}]"
    manifest = reading({"task_definition.yml": task, "revieee.yml": "env: {A: 1}"})
    assert manifest.stack.commit_in_hash
    assert dict(manifest.stack.service("app").environment) == {"A": "1"}
    assert "x" not in notices(manifest)
