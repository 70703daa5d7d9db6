"""What a step made is used again by builds of its own scope, and by no other: it may have been made with secrets."""

from builders.conftest import Yard
from support.docker import docker

STEP = "FROM FRESH\nRUN head -c 16 /dev/urandom | sha256sum > /made; cat /made\n"


async def test_a_step_is_run_again_for_another_repository_or_trust(yard: Yard) -> None:
    own = await yard.build(STEP, scope="own")
    assert (await yard.build(STEP, scope="own")).id == own.id, "the cache of its own scope"
    assert (await yard.build(STEP, scope="stranger")).id != own.id


async def test_nor_is_it_used_by_another_instance_on_the_same_engine(yard: Yard) -> None:
    own = await yard.build(STEP)
    request = yard.request(STEP)
    other = await yard.builder(instance=f"{yard.instance}-2").build(request, yard.write)
    docker("rmi", "--force", other.id)
    assert other.id != own.id
