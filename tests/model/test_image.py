import pytest

from revieee.model.image import bears, read_image

HUB = "docker" + ".io"
"""What the engine leaves out of names."""
DIGEST = f"sha256:{'d' * 64}"
LISTED = {
    "Id": f"sha256:b4{'0' * 62}",
    "RepoTags": ["nginx:latest", "nginx:1.27", "acme/shop:main", "registry.example:5000/x:latest", "localhost:1/y:2"],
    "RepoDigests": [f"nginx@{DIGEST}", f"registry.example:5000/x@{DIGEST}"],
}


def test_an_image_s_answer_is_read() -> None:
    body = {
        "Id": "sha256:aa",
        "Size": 5,
        "Config": {
            "ExposedPorts": {"8080/tcp": {}, "53/udp": {}, "80/tcp": {}},
            "Volumes": {"/data": {}},
            "Healthcheck": {"Test": ["CMD", "true"]},
        },
    }
    image = read_image(body, "x")
    assert (image.ports, image.volumes, image.healthcheck, image.size) == ((80, 8080), ("/data",), True, 5)
    assert read_image({"Id": "b", "Config": {"Healthcheck": {"Test": ["NONE"]}}}, "x").healthcheck is False


@pytest.mark.parametrize(
    ("times", "interval", "rush"),
    [
        ({}, None, False),
        ({"Interval": 0, "StartInterval": 0}, None, False),
        ({"Interval": 1_500_000_000, "StartInterval": 1_000_000_000}, 1.5, False),
        ({"Interval": 1_000_000, "StartInterval": 1_000_000}, 0.001, True),
    ],
)
def test_how_often_its_healthcheck_runs(times: dict[str, int], interval: float | None, *, rush: bool) -> None:
    image = read_image({"Id": "a", "Config": {"Healthcheck": {"Test": ["CMD", "true"], **times}}}, "x")
    assert (image.health_interval, image.health_rush) == (interval, rush)


def test_one_that_declares_more_volumes_than_a_service_may_have_is_unfit() -> None:
    paths: dict[str, object] = {f"/v{n}": {} for n in range(101)}
    assert "shop:1 declares 101 volumes" in read_image({"Id": "a", "Config": {"Volumes": paths}}, "shop:1").unfit
    del paths["/v0"]
    assert not read_image({"Id": "a", "Config": {"Volumes": paths}}, "shop:1").unfit


@pytest.mark.parametrize(
    "reference",
    [
        "nginx",
        "nginx:1.27",
        "library/nginx",
        f"{HUB}/nginx:latest",
        f"{HUB}/library/nginx",
        f"index.{HUB}/library/nginx:1.27",
        f"{HUB}/acme/shop:main",
        "acme/shop:main",
        "registry.example:5000/x",
        "localhost:1/y:2",
        f"nginx@{DIGEST}",
        f"library/nginx:any@{DIGEST}",
        f"registry.example:5000/x@{DIGEST}",
    ],
)
def test_a_name_is_known_in_each_of_its_forms(reference: str) -> None:
    assert bears(LISTED, reference)


@pytest.mark.parametrize(
    "reference",
    [
        "b4",
        "b400000",
        f"b4{'0' * 62}",
        "b4:latest",
        "nginx:1",
        "shop:main",
        "acme/shop",
        "library/acme/shop:main",
        "x:latest",
        f"registry.example:5000/library/nginx@{DIGEST}",
        f"acme/shop@{DIGEST}",
        f"nginx@sha256:{'e' * 64}",
    ],
)
def test_what_an_engine_finds_by_the_beginning_of_an_id_does_not_bear_the_name(reference: str) -> None:
    assert not bears(LISTED, reference)
    assert not bears({"Id": "sha256:b4", "RepoTags": None, "RepoDigests": None}, reference)
