import pytest

from revieee.sources.submodules import same_forge

GITHUB = "https://github.example"


@pytest.mark.parametrize(
    ("url", "repository"),
    [
        ("../lib.git", "acme/lib"),
        ("../../other/lib", "other/lib"),
        ("https://github.example/other/lib.git", "other/lib"),
        ("https://github.example/other/lib/", "other/lib"),
        ("http://user:secret@github.example/other/lib", "other/lib"),
        ("git@github.example:other/lib.git", "other/lib"),
        ("github.example:other/lib", "other/lib"),
        ("ssh://git@github.example:22/other/lib.git", "other/lib"),
        ("git://github.example/other/lib", "other/lib"),
    ],
)
def test_addresses_on_the_forge(url: str, repository: str) -> None:
    assert same_forge(url, "acme/shop", GITHUB) == repository


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/srv/lib.git",
        "file:///srv/lib.git",
        "https://elsewhere.example/other/lib.git",
        "https://github.example.elsewhere.example/other/lib",
        "https://github.example@elsewhere.example/other/lib",
        "https://github.example:8443/other/lib",
        "git@elsewhere.example:other/lib",
        "ext::sh -c id",
        "--upload-pack=id",
        "../../../lib",
        "../../a/b/c",
        "./inner",
        "https://github.example/other/lib\nx",
        "https://github.example/../lib",
        "https://[broken/other/lib",
        "https://github.example:port/other/lib",
    ],
)
def test_addresses_elsewhere(url: str) -> None:
    assert same_forge(url, "acme/shop", GITHUB) is None


def test_a_forge_below_a_path() -> None:
    assert same_forge("https://git.example/hub/a/b.git", "acme/shop", "https://git.example/hub/") == "a/b"
