"""``environment``, ``env_file``, ``labels`` and ``label_file``."""

from collections.abc import Mapping as AnyMapping

from revieee.model.reading.compose.table import ENV_FILE, survey
from revieee.model.reading.files import Reading, Scope
from revieee.model.reading.findings import Place, quote
from revieee.model.reading.yaml_nodes import Mapping, Node, Scalar
from revieee.model.tree import Kind

OWN_LABELS = "revieee."
"""What begins so says whose a container is; nobody else may say it."""


def read_environment(reading: Reading, service: Mapping, scope: Scope) -> dict[str, str]:
    """Read the variables of a service: those of its files, over them those of ``environment``."""
    found: dict[str, str] = {}
    for node in reading.values.one_or_more(service.get("env_file"), "`env_file`"):
        read = _env_file(reading, node, scope)
        found |= {name: value for name, value in read.items() if value is not None}
    found |= variables(reading, service.get("environment"), scope, "`environment`")
    return found


def variables(reading: Reading, node: Node | None, scope: Scope, what: str, *, secrets: bool = True) -> dict[str, str]:
    """Read names with values; a name alone takes its value from ``.env``, or is left out.

    Args:
        reading: notes what is wrong.
        node: the names and values.
        scope: the variables that are known.
        what: their place, in words.
        secrets: whether who gets them gets the repository's secrets too.
    """
    found: dict[str, str] = {}
    for name, place, value in reading.values.pairs(node, what):
        if not name or "=" in name or "\0" in name:
            reading.fault(place.at, f"{what}: {quote(name)} is no name of a variable. Write `NAME: value`.")
        elif value is not None:
            found[name] = value
        elif (outside := scope.get(name)) is not None:
            found[name] = outside
        else:
            then = "it is set only where the repository has a secret of that name" if secrets else "it is not set"
            words = f"{what}: `{name}` has no value and is not in `.env`, so {then}. Give it a value if needed."
            reading.notice(place.at, words)
    return found


def read_labels(reading: Reading, service: Mapping, scope: Scope) -> dict[str, str]:
    """Read the labels of a service: those of its files, over them those of ``labels``."""
    found: dict[str, str] = {}
    for node in reading.values.one_or_more(service.get("label_file"), "`label_file`"):
        read = _env_file(reading, node, scope)
        found |= {name: value for name, value in read.items() if value is not None}
        _own_labels(reading, node.at, read)
    for name, place, value in reading.values.pairs(service.get("labels"), "`labels`"):
        found[name] = value or ""
        _own_labels(reading, place.at, {name: value})
    return found


def _own_labels(reading: Reading, at: Place, labels: AnyMapping[str, str | None]) -> None:
    for name in labels:
        if name.lower().startswith(OWN_LABELS):
            reading.fault(at, f"The label {quote(name)} is refused: `{OWN_LABELS}…` is Revieee's own. Rename it.")


def _env_file(reading: Reading, node: Node, scope: Scope) -> AnyMapping[str, str | None]:
    required, raw = True, False
    path_node: Node | None = node
    if isinstance(node, Mapping):
        survey(reading, node, ENV_FILE, "`env_file`")
        path_node = node.get("path")
        required = reading.values.flag(node.get("required"), "`required` of `env_file`") is not False
        raw = reading.values.choice(node.get("format"), "`format` of `env_file`", ("raw",)) == "raw"
    if not isinstance(path_node, Scalar) or path_node.null:
        reading.fault(node.at, "`env_file` needs a path. Name a file of the repository.")
        return {}
    path = reading.path(path_node, "`env_file`")
    if path is None:
        return {}
    if reading.kind(path_node.at, path, "`env_file`") is Kind.FILE:
        return reading.env_file(path_node.at, path, scope, raw=raw)
    if required:
        reading.fault(
            path_node.at,
            f"`env_file`: {quote(path)} is not in the repository. Commit it, write `required: false` beside its path, "
            "or give the variables under `env` in revieee.yml.",
        )
    return {}
