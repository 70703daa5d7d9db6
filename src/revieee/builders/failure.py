"""A failed build in words: what failed, where, what to do next."""

import re
import shutil

from revieee.builders.dockerfile import Dockerfile
from revieee.builders.progress import Progress, instruction, missing_image
from revieee.clients.docker import DockerClient, DockerError
from revieee.clients.pulls import pointless
from revieee.clients.wording import out_of_room
from revieee.ports import Fault, PortError, Refused, RetryLater

_SHOWN = 300
_ROOM = 256 * 2**20
"""Bytes: with less free, a disk counts as full."""
_EXITED = re.compile(
    r"""(?:executor failed running \[.*\]|process ".*" did not complete successfully): (exit code: \d+)""", re.DOTALL
)
"""How a step ended; the command in it was told just before."""
_UNREADABLE = re.compile(r"dockerfile parse error (?:on )?line (\d+): (.*)")
"""Read for the line number it holds; what is done does not hang on it."""


async def judged(host: str, dockerfile: Dockerfile, progress: Progress) -> PortError:
    """Say why a build failed; an engine that went away while building is no fault of the author's.

    Args:
        host: where the engine listens. It is asked anew: one that ends still serves connections that are kept.
        dockerfile: that was built.
        progress: what was said.
    """
    docker = DockerClient(host)
    try:
        info = await docker.call("GET", "info")
    except DockerError as error:
        return RetryLater(f"The Docker engine went away while building: {error}.")
    finally:
        await docker.close()
    return refusal(dockerfile, progress, str(info.get("DockerRootDir")))


def refusal(dockerfile: Dockerfile, progress: Progress, disk: str) -> PortError:
    """Turn what BuildKit said last into an error for the pull request, or for the operator.

    Args:
        dockerfile: that was built.
        progress: what was said.
        disk: the engine's data folder. While that is full no step is to blame: many programs call it another error.
    """
    step, reason = progress.failed, progress.reason.strip()
    if out_of_room(reason) or _nearly_full(disk):
        return RetryLater(f"The build of {dockerfile.name} found the disk full. It is tried again when there is room.")
    if step is None:
        hint = ""
        if dockerfile.heredocs:
            lines = ", ".join(str(line) for line in dockerfile.heredocs)
            hint = f" (Here-documents, as on line {lines}, are read by Docker 23 and later.)"
        found = _UNREADABLE.search(reason)
        if found:
            return Refused(f"{dockerfile.name}:{found[1]}: {found[2]}.{hint}", log=progress.tail)
        return Refused(f"{dockerfile.name} could not be built: {reason}.{hint}", log=progress.tail)
    image = missing_image(step)
    if image is not None:
        return _unpulled(dockerfile, image, progress)
    if step.startswith(("exporting", "[internal]")):
        return Fault(f"The Docker engine could not finish the build of {dockerfile.name}: {step}: {reason}")
    told = instruction(step)
    line = dockerfile.line_of(told)
    where = dockerfile.name if line is None else f"{dockerfile.name}:{line}"
    hint = " (137: killed, most likely over the memory limit of builds)" if reason.endswith("exit code: 137") else ""
    ended = _EXITED.fullmatch(reason)
    return Refused(f"{where}: {told[:_SHOWN]} failed: {ended[1] if ended else reason}{hint}", log=progress.tail)


def _unpulled(dockerfile: Dockerfile, image: str, progress: Progress) -> PortError:
    """Say why a base image is not there: a registry that is away is waited for, one that says no is not."""
    reason = progress.reason.strip()
    what = f"{dockerfile.name}: the base image {image} is not on this machine and"
    if not pointless(reason):
        return RetryLater(f"{what} cannot be pulled now: {reason}. It is tried again.")
    words = f"{what} could not be pulled: {reason}. Check its name, and whether this machine may pull it."
    return Refused(words, log=progress.tail)


def _nearly_full(disk: str) -> bool:
    try:
        return shutil.disk_usage(disk).free < _ROOM
    except OSError:  # on another host
        return False
