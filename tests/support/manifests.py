"""Short ways to read manifests in tests."""

from collections.abc import Mapping

from revieee.model.manifest import Context, Limits, Manifest, ManifestError
from revieee.model.reading import read
from revieee.model.stack import Service
from revieee.testing.trees import Content, MemoryTree

CONTEXT = Context(
    repository="acme/shop",
    number=12,
    branch="feature/cart",
    commit="a" * 40,
    environment_label="shop-pr-12",
    base_url="http://review.test:8080",
)


def reading(files: Mapping[str, Content], limits: Limits | None = None) -> Manifest:
    """Read a commit of these files."""
    return read(MemoryTree(files), CONTEXT, limits or Limits())


def compose(text: str, **files: Content) -> Manifest:
    """Read a commit with this `compose.yaml`, a Dockerfile and further files (`__` in a name stands for `/`)."""
    return reading({"compose.yaml": text, "Dockerfile": "FROM scratch", **_named(files)})


def service(text: str, **files: Content) -> Service:
    """Give the service `web` of a compose file."""
    return compose(text, **files).stack.service("web")


def web(lines: str, **files: Content) -> Service:
    """Give a service `web` made of these lines, its port being 80."""
    indented = "".join(f"    {line}\n" for line in lines.strip("\n").splitlines())
    return service(f"services:\n  web:\n    image: nginx\n    ports: [80]\n{indented}", **files)


def faults(files: Mapping[str, Content] | str, limits: Limits | None = None) -> list[str]:
    """Give the faults of a commit, or of a `compose.yaml`, each with its place."""
    tree = {"compose.yaml": files, "Dockerfile": "FROM scratch"} if isinstance(files, str) else files
    try:
        manifest = reading(tree, limits)
    except ManifestError as error:
        return [str(fault) for fault in error.faults]
    raise AssertionError(f"no fault was found in {manifest}")


def notices(manifest: Manifest) -> str:
    """Give all notices as one text."""
    return "\n".join(map(str, manifest.notices))


def _named(files: Mapping[str, Content]) -> dict[str, Content]:
    return {name.replace("__", "/"): content for name, content in files.items()}
