import pytest

from revieee.model.manifest import Limits
from revieee.model.stack import Build, Exposure
from revieee.testing.trees import Link
from support.manifests import CONTEXT, compose, faults, notices, reading

DOCKERFILE = {"Dockerfile": "FROM scratch"}
COMPOSE = "services: {web: {image: nginx, ports: [80]}}"


def test_a_dockerfile_is_one_service_with_a_url() -> None:
    manifest = reading(DOCKERFILE)
    assert manifest.file == "Dockerfile"
    assert manifest.stack.service("web").build == Build(context="", dockerfile="Dockerfile")
    assert manifest.stack.exposures == (Exposure(service="web", port=None),)
    assert manifest.hostnames == (("web", "shop-pr-12"),)


@pytest.mark.parametrize(
    ("present", "read"),
    [
        (("revieee.yml", "compose.yaml", "Dockerfile"), "revieee.yml"),
        (("revieee.yaml", "compose.yaml"), "revieee.yaml"),
        (("compose.yaml", "compose.yml", "docker-compose.yml", "Dockerfile"), "compose.yaml"),
        (("compose.yml", "docker-compose.yaml"), "compose.yml"),
        (("docker-compose.yaml", "docker-compose.yml"), "docker-compose.yaml"),
        (("docker-compose.yml", "Dockerfile"), "docker-compose.yml"),
        (("Dockerfile", "task_definition.yml"), "Dockerfile"),
    ],
)
def test_the_first_file_that_is_there_is_read(present: tuple[str, ...], read: str) -> None:
    content = {"revieee.yml": "drafts: 1", "Dockerfile": "FROM x", "task_definition.yml": "x"}
    content = dict.fromkeys(("revieee.yml", "revieee.yaml"), "expose: web") | {"Dockerfile": "FROM x"}
    assert reading({name: content.get(name, COMPOSE) for name in present}).file == read


def test_nothing_to_run_says_what_was_looked_for_and_how_to_begin() -> None:
    [fault] = faults({"README.md": "hello"})
    assert "compose.yaml" in fault
    assert "task_definition.yml" in fault
    assert "services:" in fault


def test_a_folder_of_that_name_is_named() -> None:
    [fault] = faults({"compose.yaml/README.md": "hello"})
    assert "compose.yaml is a folder, not a file." in fault


def test_a_standard_file_has_its_override() -> None:
    files = {"compose.yaml": COMPOSE, "compose.override.yml": "services: {web: {image: caddy}}"}
    assert reading(files).stack.service("web").image == "caddy"
    assert reading({**files, "docker-compose.override.yml": "services: {}"}).stack.service("web").image == "caddy"


def test_every_service_is_told_where_it_is() -> None:
    manifest = compose("services: {web: {image: a, ports: [80]}, admin_ui: {image: a, ports: [81]}}")
    assert dict(manifest.injected) == {
        "BRANCH": "feature/cart",
        "REVIEEE_URL": "http://shop-pr-12.review.test:8080",
        "REVIEEE_URL_WEB": "http://shop-pr-12.review.test:8080",
        "REVIEEE_URL_ADMIN_UI": f"http://{dict(manifest.hostnames)['admin_ui']}.review.test:8080",
        "REVIEEE_PR_NUMBER": "12",
        "REVIEEE_REPOSITORY": "acme/shop",
        "REVIEEE_COMMIT": "a" * 40,
        "REVIEEE_ENVIRONMENT": "acme/shop#12",
    }


def test_the_author_can_refer_to_what_revieee_knows_also_to_urls() -> None:
    manifest = compose(
        "services:\n  web: {image: a, ports: [80], environment: {API: '${REVIEEE_URL_API}/v1', AT: $REVIEEE_COMMIT}}\n"
        "  api: {image: a, ports: [81], environment: {SELF: '${REVIEEE_URL_API:?}', NO: '${REVIEEE_URL_NONE}x'}}\n",
        **{".env": "BRANCH=mine\nREVIEEE_COMMIT=mine\n"},
    )
    web, api = manifest.stack.services
    assert dict(web.environment) == {"API": "http://api-shop-pr-12.review.test:8080/v1", "AT": CONTEXT.commit}
    assert dict(api.environment) == {"SELF": "http://api-shop-pr-12.review.test:8080", "NO": "x"}
    assert "REVIEEE_URL_NONE" in notices(manifest)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"compose.yaml": b"\xff\xfea\x00"}, "not UTF-8"),
        ({"compose.yaml": ""}, "empty"),
        ({"compose.yaml": "# nothing\n"}, "empty"),
        ({"compose.yaml": "- a\n"}, "must be a mapping"),
        ({"compose.yaml": "services: {}"}, "no `services`"),
        ({"compose.yaml": "services:\n  web:\n"}, "is empty"),
        ({"compose.yaml": "a" * 1_000_001}, "larger"),
        ({"compose.yaml": Link("/etc/passwd")}, "leaves the repository"),
        ({"compose.yaml": Link("../x")}, "outside"),
        ({"compose.yaml": COMPOSE, ".env": Link("/etc/passwd")}, ".env: The file of variables:"),
        ({"revieee.yml": "when: {drafts: false}"}, "no compose file"),
        ({"revieee.yml": "compose: nope.yml"}, "there is no file `nope.yml`"),
        ({"revieee.yml": "compose: ../x.yml"}, "outside"),
    ],
)
def test_files_that_cannot_be_read(files: dict[str, str | bytes | Link], words: str) -> None:
    assert words in "\n".join(faults(files))


def test_all_faults_come_at_once_in_the_order_of_their_lines() -> None:
    found = faults("services:\n  web:\n    privileged: true\n    image: A B\n    foo: 1\n    volumes: [/etc:/x]\n")
    assert [fault.split(" ")[0] for fault in found] == [f"compose.yaml:{line}:" for line in (3, 4, 5, 6)]


def test_many_faults_are_counted() -> None:
    keys = "".join(f"    k{n}: 1\n" for n in range(200))
    found = faults(f"services:\n  web:\n    image: a\n    ports: [80]\n{keys}")
    assert len(found) == 51
    assert "150 more" in found[-1]


def test_ten_thousand_services_are_refused_quickly() -> None:
    many = "services:\n" + "".join(f"  s{n}: {{image: a, extends: s{n + 1}}}\n" for n in range(10_000))
    [fault, *_] = faults(many)
    assert "10,000 services" in fault


def test_the_number_of_services_has_a_limit() -> None:
    many = "services:\n" + "".join(f"  s{n}: {{image: a, ports: [80]}}\n" for n in range(4))
    [fault] = faults({"compose.yaml": many}, Limits(services=3))
    assert "There are 4 services, and 3 may run" in fault
