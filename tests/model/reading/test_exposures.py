import pytest

from revieee.model.stack import Exposure
from support.manifests import compose, faults, notices


def exposed(text: str) -> tuple[tuple[str, int | None], ...]:
    return tuple((one.service, one.port) for one in compose(text).stack.exposures)


@pytest.mark.parametrize(
    ("port", "target"),
    [
        ("3000", 3000),
        ("'3000-3005'", 3000),
        ("8000:80", 80),
        ("22:22", 22),
        ("'9090-9091:8080-8081'", 8080),
        ("127.0.0.1:8001:8002", 8002),
        ("'127.0.0.1::8002'", 8002),
        ("'[::1]:80:8003'", 8003),
        ("'6060:6061/tcp'", 6061),
        ("{target: 70, published: '8080', protocol: tcp, mode: host}", 70),
        ("{target: '71'}", 71),
        ("'${P:-72}:73'", 73),
    ],
)
def test_the_containers_port_is_the_one_that_counts(port: str, target: int) -> None:
    assert exposed(f"services: {{web: {{image: a, ports: [{port}]}}}}") == (("web", target),)


@pytest.mark.parametrize("port", ["abc", "0", "70000", "'80/http'", "'1:2:3:4'", "'5-3'", "{published: 80}", "[80]"])
def test_what_is_no_port_is_refused(port: str) -> None:
    assert faults(f"services:\n  web: {{image: a, ports: [{port}]}}")[0].startswith("compose.yaml:2: ")


def test_services_with_ports_get_urls_but_databases_do_not() -> None:
    manifest = compose(
        "services:\n  db: {image: postgres, ports: ['5432:5432']}\n  web: {image: a, ports: [80]}\n"
        "  mq: {image: rabbitmq, ports: [5672, 15672]}\n  worker: {image: a}\n"
    )
    assert manifest.stack.exposures == (Exposure(service="web", port=80), Exposure(service="mq", port=15672))
    assert "compose.yaml:2: Service `db` gets no URL" in notices(manifest)


def test_a_lone_database_gets_a_url_after_all() -> None:
    assert exposed("services: {db: {image: elasticsearch, ports: [9200]}}") == (("db", 9200),)


def test_the_main_service_is_the_first_that_no_other_one_waits_for() -> None:
    assert exposed(
        "services:\n  api: {image: a, ports: [1]}\n  bff: {image: a, depends_on: [api]}\n"
        "  web: {image: a, ports: [2], depends_on: [bff]}\n  admin: {image: a, ports: [3]}\n"
    ) == (("web", 2), ("admin", 3), ("api", 1))


def test_without_ports_expose_tells() -> None:
    assert exposed("services: {web: {image: a, expose: ['3000']}, db: {image: b, expose: [5432]}}") == (("web", 3000),)


def test_without_any_port_the_only_service_or_the_only_built_one() -> None:
    assert exposed("services: {web: {image: a}}") == (("web", None),)
    assert exposed("services: {db: {image: a}, app: {build: .}}") == (("app", None),)
    assert "expose: web" in faults("services: {db: {image: a}, app: {image: b}}")[0]


def test_udp_gets_no_url() -> None:
    manifest = compose("services: {web: {image: a, ports: ['53:53/udp', '80']}}")
    assert manifest.stack.exposures == (Exposure(service="web", port=80),)
    assert "udp" in notices(manifest)


def test_hosts_are_labels_below_the_domain() -> None:
    manifest = compose("services: {web: {image: a, ports: [80]}, admin_ui: {image: a, ports: [80]}}")
    (_, main), (_, other) = manifest.hostnames
    assert main == "shop-pr-12"
    assert other.startswith("admin-ui-shop-pr-12-")
