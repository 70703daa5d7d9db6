"""Images: had, remembered, removed. Only those that carry our labels, or that we pulled, are ever removed."""

import re
from collections.abc import Collection, Mapping

from revieee.clients.docker import DockerAnswered, DockerClient, Json, lines
from revieee.clients.pulls import pointless
from revieee.clients.wording import brief, out_of_room
from revieee.engines.docker.calls import ABSENT, BROKEN, CONFLICT
from revieee.engines.docker.names import INSTANCE
from revieee.model.image import Image, bears, read_image
from revieee.model.policy import EngineOptions
from revieee.model.registries import unreachable
from revieee.model.resolve import Task
from revieee.model.tags import built_here
from revieee.ports import Announce, ImageGone, NotPulled, PortError, Refused

_MOST_REFERENCE = 512
_PATIENCE = 300.0
"""Seconds that a registry may be silent in the middle of a pull."""

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?"
_REFERENCE = re.compile(
    rf"{_HOST}{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
"""The grammar of https://pkg.go.dev/github.com/distribution/reference"""

_ID = re.compile(r"sha256:[0-9a-f]{64}")


async def have(
    client: DockerClient,
    reference: str,
    *,
    options: EngineOptions,
    pinned: str | None,
    refresh: bool,
    pulling: Announce | None = None,
) -> Image:
    """Find an image on the engine, or pull it. One that was built here is asked of no registry: it would hear its name.

    Raises:
        Refused: there is none, it may not be pulled, it was built for an environment, or declares too much.
        NotPulled: it cannot be pulled now.
    """
    _check(reference, options.registries)
    if pinned is not None and not refresh and (found := await find(client, pinned)) is not None:
        return _fit(read_image(found, reference))
    found = await find(client, reference)
    if found is not None and _labels(found).get(INSTANCE):
        raise Refused(f"The image {reference} was built for an environment; another one cannot run it.")
    if built_here(options.instance, reference):
        raise Refused(f"The image {reference} was built here and is gone; no registry has it.")
    if found is not None and not refresh:
        return _fit(read_image(found, reference))
    if found is None and pulling is not None:
        await pulling()
    problem = await _pull(client, reference)
    pulled = await find(client, reference)
    if pulled is None:
        raise problem or Refused(f"The image {reference} cannot be pulled: the engine does not have it afterwards")
    old = found is not None and found["Id"] == pulled["Id"]
    if _labels(pulled).get(INSTANCE):
        await remove(client, pulled)
        raise Refused(f"The image {reference} carries labels that only Revieee may give (revieee.instance).")
    image = read_image(pulled, reference, pulled=not problem and not old)
    if image.unfit and image.pulled:
        await remove(client, pulled)
    return _fit(image)


def _fit(image: Image) -> Image:
    if image.unfit:
        raise Refused(image.unfit)
    return image


async def remove(client: DockerClient, image: Json, *, force: bool = False) -> None:
    """Take an image's names away, and with the last one the image. One that a container uses stays.

    Args:
        client: of the engine.
        image: as listed or inspected.
        force: also where a container that does not run uses it.
    """
    for name in [*(one for one in image.get("RepoTags") or () if one != "<none>:<none>"), str(image["Id"])]:
        try:
            await client.call("DELETE", "images", name, query={"force": force})
        except DockerAnswered as error:
            if error.status not in {ABSENT, CONFLICT}:
                raise


async def forget(client: DockerClient, image: str) -> None:
    """Remove a pulled image, by id or name, unless anything uses it."""
    if (found := await find(client, image)) is not None:
        await remove(client, found)


async def find(client: DockerClient, image: str) -> Json:
    """Give what the engine says of an image, by its whole id or by a name that it bears; None where there is none.

    The engine itself would also take the first digits of an id, which are legal names: anybody's image, without one.
    """
    try:
        found = await client.call("GET", "images", image, "json")
    except DockerAnswered as error:
        if error.status == ABSENT:
            return None
        raise
    return found if _ID.fullmatch(image) or bears(found, image) else None


async def missing(client: DockerClient, task: Task, error: DockerAnswered) -> PortError:
    """Say why the engine has nothing to make a container of: the image is gone, or no fit one.

    Args:
        client: of the engine.
        task: whose container was to be made.
        error: what the engine answered; also where the image is for another platform.
    """
    words = f"The image of service {task.service.name} ({task.image.reference}) is not there: {error}"
    return (ImageGone if await find(client, task.image.id) is None else Refused)(words)


def _check(reference: str, registries: Collection[str]) -> None:
    if _ID.fullmatch(reference):
        raise Refused(f"{reference} names an image by its id, and only names with a repository are taken.")
    if len(reference) > _MOST_REFERENCE or not _REFERENCE.fullmatch(reference):
        raise Refused(f"{reference[:80]!r} is not the name of an image. Write it as repository:tag.")
    if words := unreachable(reference, registries):
        raise Refused(words)


async def _pull(client: DockerClient, reference: str) -> PortError | None:
    """Pull an image and give what went wrong."""
    query = {"fromImage": reference}
    if "@" not in reference and ":" not in reference.rpartition("/")[2]:
        query["tag"] = "latest"
    try:
        async with client.stream("POST", "images", "create", query=query, patience=_PATIENCE) as pieces:
            async for line in lines(pieces):
                if "error" in line:
                    return _not_pulled(reference, brief(str(line["error"])), BROKEN)
    except DockerAnswered as error:
        return _not_pulled(reference, error.message, error.status)
    return None


def _not_pulled(reference: str, words: str, status: int) -> PortError:
    if out_of_room(words) or not pointless(words, status):
        return NotPulled(f"The image {reference} cannot be pulled now: {words}. It is tried again.")
    return Refused(f"The image {reference} cannot be pulled: {words}")


def _labels(body: Json) -> Mapping[str, str]:
    return (body.get("Config") or {}).get("Labels") or {}
