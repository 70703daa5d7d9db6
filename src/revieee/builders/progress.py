"""What BuildKit's plain progress says, line by line; pure.

``--progress=plain`` numbers the steps: ``#5 [2/3] RUN make`` names one, ``#5 ERROR: …`` says that it failed. The form
is that of Docker 20.10 to 28 (buildkit's ``util/progress/progressui``); the machine-readable one came later.
"""

import re
from collections import deque

_LINE_LENGTH = 4000
_STEP_COUNT = 10_000
_NUMBERED = re.compile(r"#(\d{1,6}) (.*)")
_STAGE = re.compile(r"\[[^\]]*\] ")
_NOISE = re.compile(r"#\d+ sha256:\S+|#\d+ \.\.\.|#\d+ (?:DONE|CACHED|CANCELED)\b.*|\s*")
_IMAGE = re.compile(r"(?:\[internal\] load metadata for |(?:\[[^\]]*\] )?FROM )(\S+)")
_TOKEN = re.compile(r"\[auth\] (\S+?):\S* token for ")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class Progress:
    """Takes the output as it comes and keeps what a failure is told from."""

    def __init__(self, *, tail: int = 50) -> None:
        self.failed: str | None = None
        """The step that failed, as BuildKit names it."""
        self.reason = ""
        """What it failed of, or the client's last line."""
        self.images: list[str] = []
        """Images the build starts or copies from, in the order in which BuildKit met them."""
        self._tail: deque[str] = deque(maxlen=tail)
        self._steps: dict[str, str] = {}
        self._rest = b""

    @property
    def tail(self) -> str:
        """The last lines, for people: without BuildKit's own bookkeeping."""
        return "\n".join(self._tail)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        self._rest = rest[:_LINE_LENGTH]
        for line in lines:
            self._line(line[:_LINE_LENGTH].decode("utf-8", "replace").rstrip("\r"))

    def end(self) -> None:
        """Say that nothing more comes."""
        if self._rest:
            self.feed(b"\n")

    def _line(self, line: str) -> None:
        line = _ESCAPES.sub("", line)
        found = _NUMBERED.fullmatch(line)
        if found:
            self._step(found[1], found[2])
        elif line.strip() and self.failed is None:
            self.reason = line
        if not _NOISE.fullmatch(line):
            self._tail.append(line)

    def _step(self, number: str, text: str) -> None:
        if number not in self._steps:
            if len(self._steps) < _STEP_COUNT:
                self._steps[number] = text
                found = _IMAGE.match(text)
                if found:
                    self.images.append(found[1])
        elif text.startswith("ERROR: ") and self.failed is None:
            self.failed = self._steps[number]
            self.reason = text.removeprefix("ERROR: ")


def missing_image(step: str) -> str | None:
    """Give the image whose fetching was this step, as its author wrote it, or None if the step was another."""
    found = _IMAGE.match(step) or _TOKEN.match(step)
    if not found:
        return None
    return re.sub(r"^docker\.io/(?:library/)?", "", found[1])


def instruction(step: str) -> str:
    """Give the Dockerfile's instruction out of a step's name: ``[build 2/3] RUN make`` is ``RUN make``."""
    return _STAGE.sub("", step, count=1)
