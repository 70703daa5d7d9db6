import pytest

from revieee.testing.engines import EngineContract, Lab
from support.docker_lab import DockerLab


class TestDocker(EngineContract):
    @pytest.fixture
    def lab(self, docker_lab: DockerLab) -> Lab:
        return docker_lab
