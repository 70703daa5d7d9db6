"""The images a Dockerfile names: what ``FROM``, ``COPY --from`` and ``RUN --mount=from`` lead to; pure.

An image that cannot be told before the build is refused: what is not known cannot be compared with what is not allowed.
"""

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from revieee.builders.instructions import Instruction
from revieee.ports import Refused

_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-+])([^{}$]*))?\})", re.ASCII)
_REFERENCE = re.compile(r"[a-zA-Z0-9][\w./:@-]{0,500}", re.ASCII)
_ODD = re.compile(r"[\"'\\`$]")
_ARGUMENT = re.compile(
    r"""(?:[^\t\n\v\f\r "'\\`]|[\\`].|"(?:[^"\\`]|[\\`].)*+(?:"|[\\`]?$)|'[^']*+(?:'|$))++""", re.DOTALL
)
_VALUELESS = frozenset({"--link", "--parents", "--keep-git-dir", "--unpack"})
_NESTED = 8
_LONGEST = 500
_LONGEST_TEXT = 8192
"""Characters in which arguments are put in; what is longer leads to no image that can be told."""
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_PLATFORM = ("PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT")
_PREDEFINED = ("TARGETSTAGE", *(f"{side}{what}" for side in ("TARGET", "BUILD") for what in _PLATFORM))
"""Arguments that ``FROM`` sees undeclared (BuildKit's ``dockerfile2llb``; which of them, depends on its version)."""


@dataclass(slots=True)
class _Stage:
    name: str
    images: list[str] = field(default_factory=list)
    earlier: list[int] = field(default_factory=list)
    """The stages it starts from."""
    copied: list[str] = field(default_factory=list)
    """What it copies from: stages, by name or number, or images."""


def images(
    instructions: tuple[Instruction, ...], args: Mapping[str, str], target: str | None, file: str
) -> tuple[str, ...]:
    """Give the images that building ``target`` (None: the last stage) starts from or copies from.

    A name that several stages have stands for all of them: engines differ in which one they take.

    Args:
        instructions: a Dockerfile's.
        args: the build arguments that are given.
        target: a stage's name.
        file: the Dockerfile's path, for messages.

    Raises:
        Refused: a reference cannot be told before the build.
    """
    stages = _stages(instructions, args, file)
    if not stages:
        return ()
    names: dict[str, list[int]] = {}
    for number, stage in enumerate(stages):
        for called in {stage.name or str(number), str(number)}:
            names.setdefault(called, []).append(number)
    found: dict[str, None] = {}
    todo = list(names.get(target.lower(), range(len(stages)))) if target else [len(stages) - 1]
    seen, followed = set[int](), set[str]()  # stages of one name are many in a hostile file: each name is followed once
    while todo:
        number = todo.pop()
        if number in seen:
            continue
        seen.add(number)
        found |= dict.fromkeys(stages[number].images)
        todo += stages[number].earlier
        for source in stages[number].copied:
            same = names.get(called := _called(source), [])
            todo += same if called not in followed else ()
            followed.add(called)
            if (not same or same[0] >= number) and source.lower() != "scratch":
                found[source] = None
    return tuple(found)


def _called(source: str) -> str:
    return str(int(source)) if re.fullmatch(r"[0-9]{1,9}", source) else source.lower()


def _stages(instructions: tuple[Instruction, ...], args: Mapping[str, str], file: str) -> list[_Stage]:
    stages: list[_Stage] = []
    names: dict[str, int] = {}
    values = _predefined(args)
    for outer in instructions:
        one = outer.inner
        where = f"{file}:{one.line}"
        if one.word == "ARG" and not stages:
            for argument in _ARGUMENT.findall(one.value):
                _declare(argument, values, args)
        elif one.word == "FROM":
            _flags(one, where)
            words = one.words
            source = _reference(_expand(words[0], values), where) if words else "scratch"
            stage = _Stage(words[2].lower() if len(words) == 3 else "")  # noqa: PLR2004  # FROM image AS name
            if source.lower() in names:
                stage.earlier.append(names[source.lower()])
            elif source.lower() != "scratch":
                stage.images.append(source)
            if stage.name:
                names[stage.name] = len(stages)
            stages.append(stage)
        elif stages and one.word in ("COPY", "ADD", "RUN"):
            stages[-1].copied += _flags(one, where)
    return stages


def _flags(one: Instruction, where: str) -> list[str]:
    """Give what the flags of an instruction copy or mount from."""
    found: list[str] = []
    for flag in one.flags:
        name, has_value, value = re.sub(r"[\"'\\]", "", flag).partition("=")
        if not flag.isascii() or (not has_value and name not in _VALUELESS):
            raise Refused(f"{where}: {flag[:100]!r} cannot be read with certainty. Write flags as --name=value.")
        sources: list[str] = []
        if name.lower() == "--from":
            sources = [value]
        elif name.lower() == "--mount":
            fields = (part.partition("=") for part in value.split(","))
            sources = [given for key, _, given in fields if key.strip().lower() == "from"]
            if "from" in value.lower() and _ODD.search(flag):
                sources = [flag]
        if sources and _ODD.search(flag):
            sources = [flag]
        found += [_reference(source, where) for source in sources if source]
    return found


def _reference(text: str, where: str) -> str:
    if not _REFERENCE.fullmatch(text):
        raise Refused(
            f"{where}: the image {text[:100]!r} cannot be told before the build. Write its name without quotes and "
            "backslashes, and use only arguments that have a value before the first FROM."
        )
    return text


def _predefined(args: Mapping[str, str]) -> dict[str, str | None]:
    """Give what BuildKit sets by itself unless it is given; the engine is on this machine."""
    machine = _MACHINES.get(platform.machine())
    usual = {"PLATFORM": f"linux/{machine}", "OS": "linux", "ARCH": machine} if machine else {}
    own = {f"{side}{what}": value for side in ("TARGET", "BUILD") for what, value in usual.items()}
    return {name: _certain(args.get(name, own.get(name))) for name in _PREDEFINED}


def _certain(value: str | None) -> str | None:
    """Give an argument's value as BuildKit puts it in, or None where that cannot be told."""
    return None if value is None or len(value) > _LONGEST or _ODD.search(value) else value


def _declare(argument: str, values: dict[str, str | None], args: Mapping[str, str]) -> None:
    """Take up ``ARG name`` or ``ARG name=value``; a value that cannot be told is None."""
    name, has_default, default = argument.partition("=")
    if _ODD.search(name):
        for part in re.findall(r"\w+", name):
            values[part] = None
        return
    if name in args:
        given: str | None = args[name]
    elif has_default:
        given = _unquoted(default, values)
    else:
        given = None if name in values else ""
    values[name] = _certain(given)


def _unquoted(text: str, values: Mapping[str, str | None]) -> str:
    quote = text[:1]
    if quote in ("'", '"') and text.endswith(quote) and len(text) > 1:
        return text[1:-1] if quote == "'" else _expand(text[1:-1], values)
    return _expand(text, values)


def _expand(text: str, values: Mapping[str, str | None]) -> str:
    """Put arguments in; what has no value stays as it is and is no reference then."""

    def value(found: re.Match[str]) -> str:
        plain, name, operator, word = found.groups()
        if (plain or name) not in values:
            return word if operator in ("-", ":-") else "" if operator in ("+", ":+") else found[0]
        known = values[plain or name]
        if known is None or (known == "" and operator in ("-", "+")):
            return found[0]  # whether it is set at all differs between engines
        if operator == ":-":
            return known or word
        if operator in ("+", ":+"):
            return word if known else ""
        return known

    for _ in range(_NESTED):
        further = _VARIABLE.sub(value, text) if len(text) <= _LONGEST_TEXT else text
        if further == text:
            break
        text = further
    return text
