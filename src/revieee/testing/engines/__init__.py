"""The engine contract suite: what every engine must do, as tests that any engine's author can run.

    class TestMine(EngineContract):
        @pytest.fixture
        async def lab(self): ...   # a Lab for the engine

A :class:`Lab` says how the roles of the suite (something that serves, something that fails, …) are played there. Needs
pytest with pytest-asyncio in its automatic mode.
"""

from revieee.testing.engines.contract import EngineContract
from revieee.testing.engines.lab import Lab, Role

__all__ = ["EngineContract", "Lab", "Role"]
