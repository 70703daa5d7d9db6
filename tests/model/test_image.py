import pytest

from revieee.model.image import read_image


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
