"""Small file systems of a test's own, which it may fill."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MIB = 2**20


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount an empty ext4 file system of that many bytes on a folder, made if need be, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    image = folder.with_name(f"{folder.name}.ext4")
    with image.open("wb") as file:
        file.truncate(size)
    _run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", "--", str(image))
    _run("mount", "-o", "loop", "--", str(image), str(folder))
    try:
        (folder / "lost+found").rmdir()
        yield folder
    finally:
        # Whoever lived on it may have taken it away already.
        subprocess.run(["umount", "--lazy", "--", str(folder)], check=False, capture_output=True)
        image.unlink()


def fill(folder: Path, *, leaving: int = 0) -> Path:
    """Write a file that takes what is free on a folder's disk, but for so many bytes; gives it, to be removed."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for piece in (_MIB, 4096, 1):
            try:
                while True:
                    file.write(b"x" * piece)
            except OSError:
                continue
        file.truncate(max(0, file.tell() - leaving))
    return filler


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
