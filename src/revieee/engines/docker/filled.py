"""The image of a read-only task with its author's files in it.

Docker unpacks no archive into a container whose root is read-only, so the files go into a writable one that never
runs, and that becomes an image of the environment's own.
"""

from revieee.clients.docker import DockerAnswered, DockerClient
from revieee.engines.docker import images
from revieee.engines.docker.archive import pack
from revieee.engines.docker.calls import ABSENT, CONFLICT, inspect, unless_gone
from revieee.engines.docker.names import Names
from revieee.model.resolve import Task
from revieee.ports import Placement


async def filled(client: DockerClient, placement: Placement, task: Task) -> str:
    """Have that image and give its id.

    Raises:
        ImageGone: the task's own is not there any more.
    """
    names = Names(placement)
    tag = names.filled_image(task.key)
    try:
        return str((await client.call("GET", "images", tag, "json"))["Id"])
    except DockerAnswered as error:
        if error.status != ABSENT:
            raise
    labels = names.labels(service=task.service.name, key=task.key)
    name = f"{names.container(task.key)}.files"
    body = {"Image": task.image.id, "Labels": labels, "NetworkDisabled": True, "Cmd": ["-"]}
    try:
        await client.call("POST", "containers", "create", query={"name": name}, body=body)
    except DockerAnswered as error:
        if error.status == ABSENT:
            raise await images.missing(client, task, error) from error
        if error.status != CONFLICT:
            raise
    await client.call("PUT", "containers", name, "archive", query={"path": "/"}, body=pack(task.service.files))
    image = await client.call("GET", "images", task.image.id, "json")
    settings = dict(image["Config"] or {})
    settings["Labels"] = (settings.get("Labels") or {}) | labels
    repository, _, version = tag.rpartition(":")
    query = {"container": name, "repo": repository, "tag": version, "pause": False}
    made = await client.call("POST", "commit", query=query, body=settings)
    if await inspect(client, name) is not None:
        await unless_gone(client, "DELETE", "containers", name, query={"force": True, "v": True})
    return str(made["Id"])
