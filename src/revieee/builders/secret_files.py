"""Secrets of a build as files that have no name and lie on no disk: gone with the processes that hold them open."""

import contextlib
import os
from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def secret_files(secrets: Sequence[tuple[str, str]]) -> Iterator[tuple[tuple[str, int], ...]]:
    """Hold each value in memory of the kernel (``memfd_create(2)``), to be inherited by a client.

    Args:
        secrets: (name, value).

    Returns:
        (name, descriptor), open until the block ends.
    """
    with contextlib.ExitStack() as stack:
        files = []
        for name, value in secrets:
            descriptor = os.memfd_create("secret")
            stack.callback(os.close, descriptor)
            os.write(descriptor, value.encode("utf-8", "surrogatepass"))
            files.append((name, descriptor))
        yield tuple(files)
