"""``build`` and ``image``: what a service runs."""

import re

from revieee.model.reading.compose.environment import variables
from revieee.model.reading.compose.table import BUILD, survey
from revieee.model.reading.files import Reading, Scope
from revieee.model.reading.findings import quote
from revieee.model.reading.yaml_nodes import Mapping, Node, Scalar
from revieee.model.stack import Build
from revieee.model.tree import Kind, PathError, inside

_REMOTE = re.compile(r"[a-z+]+://|git@|github\.com/|-$", re.IGNORECASE)
_GIT = re.compile(r"\.git(?:#|$)", re.IGNORECASE)
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    r"(?:(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:\d))(?::\d{1,5})?/)?"
    rf"{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-f]{32,128})?"
)
_LONGEST_REFERENCE = 400
_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_PLATFORM = re.compile(r"[a-z0-9]{1,20}(/[a-z0-9]{1,20}){0,2}")


def read_image(reading: Reading, node: Node | None) -> str | None:
    """Read the name of an image to pull."""
    name = reading.values.text(node, "`image`")
    if node is None or name is None:
        return None
    if len(name) > _LONGEST_REFERENCE or not _REFERENCE.fullmatch(name):
        reading.fault(node.at, f"`image`: {quote(name)} is no name of an image. Write it like `postgres:16`.")
        return None
    return name


def read_platform(reading: Reading, node: Node | None) -> str | None:
    """Read what a service's image is made for."""
    name = reading.values.text(node, "`platform`")
    if node is None or name is None:
        return None
    if not _PLATFORM.fullmatch(name):
        reading.fault(node.at, f"`platform`: {quote(name)} is no platform. Write it like `linux/amd64`.")
        return None
    return name


def read_build(reading: Reading, node: Node | None, scope: Scope) -> Build | None:
    """Read how an image is built; all of it is in the repository."""
    build = reading.values.mapping(node, "`build`")
    if build is None:
        return None
    survey(reading, build, BUILD, "`build`")
    context = _context(reading, build)
    args = tuple(variables(reading, build.get("args"), scope, "`args` of `build`", secrets=False).items())
    target = reading.values.text(build.get("target"), "`target` of `build`")
    if target is not None and not _TARGET.fullmatch(target):
        at = build.entries["target"].value.at
        reading.fault(at, f"`target` of `build`: {quote(target)} is no name of a stage.")
    if context is None:
        return None
    inline = reading.values.text(build.get("dockerfile_inline"), "`dockerfile_inline`")
    if inline is not None:
        if build.get("dockerfile") is not None:
            at = build.entries["dockerfile"].at
            reading.fault(at, "`dockerfile` and `dockerfile_inline` are both there. Keep one of them.")
        return Build(context=context, inline=inline, target=target, args=args)
    dockerfile = _dockerfile(reading, build, context)
    return None if dockerfile is None else Build(context=context, dockerfile=dockerfile, target=target, args=args)


def _context(reading: Reading, build: Mapping) -> str | None:
    node = build.get("context")
    if node is None:
        node = Scalar(build.at, ".")
    if not isinstance(node, Scalar):
        reading.values.text(node, "`context` of `build`")
        return None
    if _REMOTE.match(node.text) or _GIT.search(node.text):
        words = f"`build`: the context {quote(node.text)} is not in the repository. Build from one of its folders."
        reading.fault(node.at, words)
        return None
    path = reading.path(node, "`build`")
    if path is None:
        return None
    kind = reading.kind(node.at, path, "`build`")
    if kind is not Kind.FOLDER and not reading.in_submodule(path):
        what = "not there" if kind is None else "no folder"
        reading.fault(node.at, f"`build`: the context {quote(node.text)} is {what}. Name a folder of the repository.")
        return None
    return path


def _dockerfile(reading: Reading, build: Mapping, context: str) -> str | None:
    node = build.get("dockerfile")
    if node is None:
        node = Scalar(build.at, "Dockerfile")
    if not isinstance(node, Scalar):
        reading.values.text(node, "`dockerfile` of `build`")
        return None
    try:
        path = inside(context, node.text)
    except PathError as error:
        reading.fault(node.at, f"`build`: {error}")
        return None
    if reading.kind(node.at, path, "`build`") is not Kind.FILE and not reading.in_submodule(path):
        words = f"`build`: there is no Dockerfile at {quote(path)}. Add it, or name another with `dockerfile`."
        reading.fault(node.at, words)
        return None
    return path
