"""The in-memory engine: the port's semantics without containers. Tests script its :class:`World`."""

from revieee.engines.memory.engine import MemoryEngine
from revieee.engines.memory.world import Act, Behaviour, Fault, World
from revieee.model.policy import EngineOptions
from revieee.ports import Engine

__all__ = ["Act", "Behaviour", "Fault", "MemoryEngine", "World", "create"]


def create(options: EngineOptions) -> Engine:
    """Make the engine. ``options.host`` is the path of the file that keeps its world; with a scheme, or empty: none."""
    path = "" if "://" in options.host else options.host
    return MemoryEngine(World(path), owns_world=True)
