"""What a step made is used again by builds of its own scope, and by no other: it may have been made with secrets."""

from builders.conftest import Yard

STEP = "FROM FRESH\nRUN head -c 16 /dev/urandom | sha256sum > /made; cat /made\n"


async def test_a_step_is_run_again_for_another_repository_or_trust(yard: Yard) -> None:
    own = await yard.build(STEP, scope="own")
    assert (await yard.build(STEP, scope="own")).id == own.id, "the cache of its own scope"
    assert (await yard.build(STEP, scope="stranger")).id != own.id
