"""The files that an author mounts, as the tar archive that ``PUT /containers/{id}/archive`` unpacks. Pure."""

import io
import tarfile
from collections.abc import Iterable

from revieee.model.stack import MountedFile


def pack(files: Iterable[MountedFile]) -> bytes:
    """Pack files by their absolute target; folders that are missing are made by the engine.

    The engine unpacks inside the container's own root, so a link in the image leads nowhere else.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in files:
            entry = tarfile.TarInfo(file.target.lstrip("/"))
            entry.size = len(file.content)
            entry.mode, entry.uid, entry.gid = file.mode, file.uid, file.gid
            archive.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()
