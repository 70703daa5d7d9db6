"""Reading what an engine says: which of the words are its own, and whether they tell of a full disk; pure.

An engine's message holds what others chose: a registry's answer, a program's name, a path. Whoever writes a compose
file must not be able to write the verdict.
"""

import re

MOST = 4_000
"""Characters of a message that are read; some engines hand on whatever a registry answered, however long."""

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|\[[^\]]*(?:\]|\Z)', re.DOTALL)
"""Answers, addresses, commands, ``[manifests <tag>]``. One that is not closed reaches to the end."""
_TOKEN = re.compile(r"\S+")
_FULL = re.compile(r"\bno space left on device(?:: unknown)?[\s.)]*\Z", re.IGNORECASE)
"""ENOSPC, as Go's ``syscall.Errno`` writes it. An error's cause stands last, after all that others chose."""


def brief(words: str) -> str:
    """Cut what is longer than anybody reads."""
    return words if len(words) <= MOST else f"{words[: MOST - 1]}…"


def own(words: str) -> str:
    """Leave out what others chose: what is quoted or in brackets, paths and names of images. Takes linear time."""
    return _TOKEN.sub(_without_path, _QUOTED.sub("", words[:MOST]))


def _without_path(token: re.Match[str]) -> str:
    word = token[0]
    if "/" not in word:
        return word
    return ":" if word.endswith(":") else ""


def out_of_room(words: str) -> bool:
    """Tell whether the engine says that its disk is full: that passes, and is no fault of the author's."""
    return _FULL.search(own(words)) is not None
