"""A container's output as the engine sends it: frames of two streams, or plain bytes where it has a terminal.

The frames are described under ``POST /containers/{id}/attach`` of the Engine API. No I/O.
"""

from collections.abc import Iterator

_HEADER = 8


class Frames:
    """Takes the engine's bytes in any pieces and gives what the container wrote, never holding more than a header."""

    def __init__(self) -> None:
        self._header = b""
        self._left = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Give the output in this piece."""
        view = piece
        while view:
            if self._left:
                part, view = view[: self._left], view[self._left :]
                self._left -= len(part)
                yield part
                continue
            wanted = _HEADER - len(self._header)
            self._header, view = self._header + view[:wanted], view[wanted:]
            if len(self._header) == _HEADER:
                self._left = int.from_bytes(self._header[4:], "big")
                self._header = b""
