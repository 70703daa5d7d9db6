import pytest

from revieee.model.stack import Dependency, Service
from support.manifests import faults, notices, reading

BASE = """
services:
  web:
    image: a
    command: [one, two]
    ports: ["8080:80", "9000:90"]
    environment: {A: base, B: base}
    volumes: ["v:/data", "w:/logs"]
    depends_on: [db]
    healthcheck: {test: [CMD, a], interval: 5s}
    labels: [x=1]
  db: {image: postgres}
volumes: {v: , w: , other: }
"""


def overridden(text: str, name: str = "web") -> Service:
    return reading({"compose.yaml": BASE, "compose.override.yaml": text}).stack.service(name)


def test_an_override_adds_and_replaces_by_the_rules_of_compose() -> None:
    found = overridden("""
services:
  web:
    command: three
    environment: [B=over, C=over]
    volumes: ["other:/data", {type: tmpfs, target: /tmp/x}]
    depends_on: {job: {condition: service_completed_successfully}}
    healthcheck: {test: [CMD, b]}
    labels: {y: 2}
  job: {image: j}
""")
    assert found.command == ("three",)
    assert dict(found.environment) == {"A": "base", "B": "over", "C": "over"}
    assert [(one.volume, one.target) for one in found.volumes] == [("other", "/data"), ("w", "/logs")]
    assert [one.service for one in found.depends_on] == ["db", "job"]
    assert found.healthcheck is not None
    assert (found.healthcheck.test, found.healthcheck.interval) == (("CMD", "b"), 5)
    assert found.labels == (("x", "1"), ("y", "2"))


def test_reset_takes_away_and_override_replaces() -> None:
    found = overridden("""
services:
  web:
    depends_on: !reset []
    environment: {A: !reset null}
    volumes: !override ["other:/x"]
    healthcheck: !reset null
""")
    assert found.depends_on == ()
    assert dict(found.environment) == {"B": "base"}
    assert [(one.volume, one.target) for one in found.volumes] == [("other", "/x")]
    assert found.healthcheck is None


def test_files_named_by_revieee_yml_lie_over_each_other_in_order() -> None:
    files = {
        "deploy/a.yml": "services: {web: {build: ../app, env_file: x.env, ports: [80]}}",
        "deploy/b.yml": "services: {web: {environment: {B: 2}}}",
        "deploy/x.env": "A=1",
        "app/Dockerfile": "FROM x",
        "revieee.yml": "compose: [deploy/a.yml, deploy/b.yml]",
    }
    found = reading(files).stack.service("web")
    assert dict(found.environment) == {"A": "1", "B": "2"}
    assert found.build is not None
    assert found.build.context == "app"


def test_values_that_do_not_fit_say_so() -> None:
    files = {"compose.yaml": BASE, "compose.override.yaml": "services:\n  web:\n    ports: {a: b}\n"}
    assert faults(files)[0].startswith("compose.override.yaml:3: `ports` is a mapping here and a list")


def test_extends_in_the_same_file_and_another() -> None:
    files = {
        "compose.yaml": """
services:
  web:
    extends: {file: common/base.yml, service: app}
    environment: {B: web}
    ports: [80]
  worker:
    extends: web
    ports: !reset []
    command: work
  db: {image: d}
""",
        "common/base.yml": """
services:
  app:
    extends: root
    build: .
    env_file: app.env
    environment: [B=app]
    depends_on: [db]
  root: {init: true, restart: always}
""",
        "common/Dockerfile": "FROM x",
        "common/app.env": "A=1\nB=1\n",
    }
    stack = reading(files).stack
    web, worker = stack.service("web"), stack.service("worker")
    assert web.build is not None
    assert (web.build.context, web.build.dockerfile, web.init) == ("common", "common/Dockerfile", True)
    assert dict(web.environment) == {"A": "1", "B": "web"}
    assert web.depends_on == worker.depends_on == (Dependency(service="db"),)
    assert worker.command == ("work",)
    assert [one.service for one in stack.exposures] == ["web"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("services:\n  a:\n    extends: a\n    image: x\n", "compose.yaml:3: Services extend each other in a circle"),
        ("services:\n  a: {extends: b}\n  b: {extends: a}\n", "compose.yaml:3: Services extend each other in a circle"),
        ("services:\n  aa: {image: x}\n  b:\n    extends: {service: ab}\n", "compose.yaml:4: `extends`: there is no"),
        ("services:\n  b:\n    extends: {file: no.yml, service: x}\n", "compose.yaml:3: The compose file: "),
        ("services:\n  b:\n    extends: {file: x.yml}\n", "compose.yaml:3: `extends` needs a `service`"),
        ("services:\n  b:\n    extends: {servce: x}\n", "Did you mean `service`?"),
    ],
)
def test_extends_that_leads_nowhere(text: str, fault: str) -> None:
    assert fault in "\n".join(faults({"compose.yaml": text, "x.yml": "services: {}"}))


def test_include_takes_a_project_with_its_own_folder_and_variables() -> None:
    files = {
        "compose.yaml": "include: [db/compose.yaml, {path: [x/a.yml, x/b.yml], env_file: x/more.env}]\n"
        "services: {web: {image: a, ports: [80], depends_on: [db]}}\n",
        "db/compose.yaml": "services: {db: {image: 'postgres:${TAG}', volumes: ['d:/d', './init:/init']}}\n"
        "volumes: {d: }",
        "db/.env": "TAG=16",
        "db/init": "sql",
        "x/a.yml": "services: {x: {image: 'x:${TAG}', environment: {A: $A}}}",
        "x/b.yml": "services: {x: {command: b}}",
        "x/more.env": "A=more\nTAG=1",
        ".env": "A=root",
    }
    stack = reading(files).stack
    assert stack.service("db").image == "postgres:16"
    assert stack.service("db").files[0].content == b"sql"
    assert stack.volumes == ("d",)
    assert (stack.service("x").image, stack.service("x").command) == ("x:1", ("b",))
    assert dict(stack.service("x").environment) == {"A": "root"}


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        ("include: [compose.yaml]\nservices: {a: {image: a}}", "included in a circle"),
        ("services: {web: {image: other}}", "services `web` is also in this file"),
        ("foo: 1", "the key `foo` is unknown"),
    ],
)
def test_include_that_does_not_fit(other: str, fault: str) -> None:
    files = {"compose.yaml": "include: [other.yml]\nservices: {web: {image: a, ports: [80]}}\n", "other.yml": other}
    assert fault in "\n".join(faults(files))


def test_include_from_itself_at_once() -> None:
    assert "circle" in faults({"compose.yaml": "include: [compose.yaml]\nservices: {web: {image: a, ports: [80]}}"})[0]


def test_anchors_and_extensions() -> None:
    text = """
x-env: &env {A: 1, B: 1}
x-base: &base {image: a, restart: always}
services:
  web: {<<: *base, ports: [80], environment: {<<: *env, B: 2}, x-note: $(not read)}
  job: {<<: *base, image: b}
version: "3.8"
name: shop
"""
    manifest = reading({"compose.yaml": text})
    assert dict(manifest.stack.service("web").environment) == {"B": "2", "A": "1"}
    assert manifest.stack.service("job").image == "b"
    assert notices(manifest) == ""


def test_a_tower_of_extends_is_bounded() -> None:
    tower = "services:\n" + "".join(
        f"  s{n}: {{image: a, extends: s{n + 1}, environment: {{{', '.join(f'V{n}_{k}: 1' for k in range(300))}}}}}\n"
        for n in range(150)
    )
    assert "too deep" in "\n".join(faults(tower + "  s150: {image: a}\n"))
