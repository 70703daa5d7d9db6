"""A ``destroy`` hook that fails: the environment goes all the same, and people are told."""

from collections.abc import Collection

import pytest

from revieee.engines.memory import Behaviour
from revieee.model.resolve import ResolvedHook, ResolvedStack
from revieee.model.telling import view_of
from revieee.model.view import State, View
from revieee.ports import Observed, Placement, Presence, Refused, RetryLater
from support.reconciling import COMPOSE, Plane, commit, facts

HOOKS = b"hooks: {destroy: {command: [farewell]}}\n"
FAILED = "The destroy hook failed on service web: ended with exit code 3."


def told(control: Plane) -> View:
    return view_of(control.environment(), instance="x", base_url="http://localhost")


@pytest.fixture
async def live(control: Plane) -> Plane:
    """One live environment whose ``destroy`` hook ends with exit code 3."""
    control.world.script("farewell", Behaviour(exits=3))
    control.source.commits[commit(1)] = {"compose.yaml": COMPOSE, "Dockerfile": b"FROM x", "revieee.yml": HOOKS}
    assert (await control.settle(facts(1))).live is not None
    return control


async def test_a_failed_farewell_is_told_when_all_is_gone(live: Plane) -> None:
    assert not (await live.settle(facts(1, minute=1, open=False))).placed
    view = told(live)
    assert (view.state, view.reason) == (State.GONE, f"The pull request is closed. {FAILED}")


async def test_one_that_was_cut_off_is_told(live: Plane) -> None:
    live.world.script("farewell", Behaviour(exits=None))
    await live.settle(facts(1, minute=1, open=False))
    assert told(live).reason.endswith("The destroy hook failed on service web: it took longer than 120 s.")


async def test_one_that_could_not_run_is_told(live: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cannot(_placement: Placement, _stack: ResolvedStack, hook: ResolvedHook) -> Observed:
        raise Refused(f"The image of {hook.name} is gone.")

    monkeypatch.setattr(live.parts.engine, "run", cannot)
    await live.settle(facts(1, minute=1, open=False))
    assert "The destroy hook could not run: The image of hook-destroy-" in told(live).reason


async def test_what_cannot_be_removed_for_it_keeps_a_close_no_longer_than_a_few_tries(
    live: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.source.commits[commit(2)] = {**live.source.commits[commit(1)], "Dockerfile": b"FROM y"}
    old = live.environment().live
    assert old is not None
    live.router.requests = {endpoint: 1 for _, endpoint in old.endpoints}
    live.wish(facts(2, minute=1))
    await live.reconciler.settle()
    assert live.environment().draining
    remove = live.parts.engine.remove

    async def busy(placement: Placement, keys: Collection[str] | None, *, grace: float) -> None:
        if keys is not None:
            raise RetryLater("device or resource busy", delay=0.0)
        await remove(placement, keys, grace=grace)

    monkeypatch.setattr(live.parts.engine, "remove", busy)
    assert not (await live.settle(facts(2, minute=2, open=False))).placed
    assert "The destroy hook could not run: device or resource busy" in told(live).reason


async def test_it_is_told_also_where_something_stayed_for_a_while_after_it(
    live: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, words = live.parts.engine.remove, list[str]()

    async def late(placement: Placement, keys: Collection[str] | None, *, grace: float) -> None:
        words.append(told(live).reason)
        if len(words) > 2:
            await remove(placement, keys, grace=grace)

    monkeypatch.setattr(live.parts.engine, "remove", late)
    await live.settle(facts(1, minute=1, open=False))
    assert any("Still there" in one for one in words)
    assert (await live.parts.engine.observe_all(live.parts.instance)).get(1, Presence()).absent
    assert told(live).reason == f"The pull request is closed. {FAILED}"


async def test_a_reopened_one_says_nothing_of_it_any_more(live: Plane) -> None:
    await live.settle(facts(1, minute=1, open=False))
    live.wish(facts(1, minute=2))
    assert (told(live).state, told(live).reason) == (State.WAITING, "")
    await live.settle()
    assert (told(live).state, told(live).reason) == (State.LIVE, "")


async def test_nor_does_one_that_was_reopened_while_it_ran(live: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    run, after = live.parts.engine.run, list[str]()

    async def reopened(placement: Placement, stack: ResolvedStack, hook: ResolvedHook) -> Observed:
        live.wish(facts(1, minute=2))
        return await run(placement, stack, hook)

    async def begun(*_: object, **__: object) -> None:
        after.append(told(live).reason)
        raise Refused("Seen.")

    monkeypatch.setattr(live.parts.engine, "run", reopened)
    monkeypatch.setattr(live.parts.source, "fetch", begun)
    await live.settle(facts(1, minute=1, open=False))
    assert after == [""]
