"""A text split into words as a POSIX shell would, without its variables and patterns.

What :func:`shlex.split` gives, in time that grows with the text's length and not with its square.
"""

import re

_PIECE = re.compile(
    r"""(?P<space>[ \t\r\n]++)|(?P<plain>[^ \t\r\n"'\\]++)|\\(?P<escaped>.)"""
    r"""|'(?P<single>[^']*+)'|"(?P<double>(?:[^"\\]|\\.)*+)\"""",
    re.DOTALL,
)
_ESCAPED = re.compile(r'\\(["\\])')


def words(text: str) -> tuple[str, ...]:
    """Split a text.

    Raises:
        ValueError: a quotation is not closed, or nothing follows a backslash.
    """
    found: list[str] = []
    open_: list[str] | None = None
    position = 0
    while position < len(text):
        piece = _PIECE.match(text, position)
        if piece is None:
            raise ValueError("No escaped character" if text[position] == "\\" else "No closing quotation")
        position = piece.end()
        if piece["space"]:
            found += [] if open_ is None else ["".join(open_)]
            open_ = None
        else:
            inner = next(part for part in piece.groups() if part is not None)
            open_ = [] if open_ is None else open_
            open_.append(_ESCAPED.sub(r"\1", inner) if piece["double"] is not None else inner)
    return (*found, *([] if open_ is None else ["".join(open_)]))
