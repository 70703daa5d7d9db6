"""The Docker engine: containers on one host, through the Engine API.

A value first, its execution elsewhere: ``names``, ``render``, ``container``, ``archive``, ``output``, ``walls`` and
``bridged`` are pure; ``engine`` and the parts it calls only send and read.
"""

from revieee.clients.docker import DockerClient
from revieee.engines.docker.engine import DockerEngine
from revieee.model.policy import EngineOptions
from revieee.ports import Engine


def create(options: EngineOptions) -> Engine:
    """Make the engine; nothing is asked of it yet.

    Raises:
        ValueError: ``options.host`` is no address of an engine.
    """
    return DockerEngine(options, DockerClient(options.host, timeout=options.timeout))
