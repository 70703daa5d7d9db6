"""Hostile text as GitHub Markdown that says what it says and does nothing.

A log, a file name or a branch may hold anything: here nothing of it mentions a person, refers to an issue, makes a
link, an image or HTML, ends a block, or turns the reading direction.
GitHub's own rules: https://github.github.com/gfm/ and
https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
"""

import re

_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC, DCS and others, up to their end
    r"|\x1b[ -/]*[0-~]",  # two-character sequences
    re.DOTALL,
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_INVISIBLE = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""Direction marks and overrides (they can show a text other than it is), characters without width, half characters."""
_REFERENCE = re.compile(r"(?<=@)(?=\w)|(?<=#)(?=\d)|(?<=GH)(?=-\d)|(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)
"""Inside a mention, a reference to an issue, an address that would become a link; whatever stands before it, since
GitHub looks past some of that (``_www.``)."""
_BREAK = "\u200b"
"""A character without width: what it stands in is no longer one reference."""
_SPECIAL = re.compile(
    r"[\\`*\[\]<>&|~$]"  # escapes, code, emphasis, links and images, HTML, tables, strike-through, mathematics
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # emphasis; inside a word it is none
    r"|^[-+=#]"  # the beginning of a list or heading
)
_NUMBERED = re.compile(r"^(\d{1,9})([.)])")
_SPAN = re.compile(r"(?<!`)`([^`\s](?:[^`]*[^`\s])?)`(?!`)")
"""What we, or whoever wrote the text, marked as code with single backticks."""
_RUN_OF_BACKTICKS = re.compile(r"`+")
_SLACK = 8
"""How many times the length to be shown is looked at: some of a text is taken out."""
_LONGEST = 256 * 1024
"""Characters of a text that are looked at; the last ones."""


def plain(text: str) -> str:
    """Take out terminal sequences and what cannot be seen; a line overwritten by a carriage return shows its end."""
    text = _ANSI.sub("", text[-_LONGEST:])
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", _CONTROL.sub("", "\n".join(lines)))


def prose(text: str, *, longest: int) -> str:
    """Write a text of one paragraph so that Markdown shows it as it is; what stands between backticks is code."""
    words = " ".join(plain(text[: longest * _SLACK]).split())
    if len(words) > longest:
        words = words[: longest - 1] + "…"
    parts = _SPAN.split(words)  # text and code in turn
    return "".join(code(part, longest=longest) if place % 2 else _escaped(part) for place, part in enumerate(parts))


def _escaped(words: str) -> str:
    escaped = _SPECIAL.sub(r"\\\g<0>", _REFERENCE.sub(_BREAK, words))
    return _NUMBERED.sub(r"\g<1>\\\g<2>", escaped)


def code(text: str, *, longest: int) -> str:
    """Write a short text as a code span, which neither mentions nor links; also inside a table."""
    words = " ".join(plain(text[: longest * _SLACK]).split())[:longest].replace("|", "¦")
    if not words:
        return ""
    fence = "`" * (_longest_run(words) + 1)
    padding = " " if words.startswith("`") or words.endswith("`") else ""
    return f"{fence}{padding}{words}{padding}{fence}"


def block(text: str, *, lines: int, width: int, longest: int) -> str:
    """Write the last lines of a text as a fenced block that nothing in it can end.

    Args:
        text: anything, also output of strangers' programs.
        lines: the most lines; the last ones are kept.
        width: the most characters of a line.
        longest: the most characters of all lines together.
    """
    kept = [
        line[: width - 1] + "…" if len(line) > width else line for line in plain(text).rstrip().split("\n")[-lines:]
    ]
    while len(kept) > 1 and sum(len(line) + 1 for line in kept) > longest:
        del kept[0]
    words = "\n".join(kept)[-longest:]
    fence = "`" * max(3, _longest_run(words) + 1)
    return f"{fence}text\n{words}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in _RUN_OF_BACKTICKS.findall(text)), default=0)
