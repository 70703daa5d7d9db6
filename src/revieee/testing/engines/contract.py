"""What every engine must do. Each method is a test; its name and words say which promise it holds the engine to."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from revieee.model.stack import Condition, Dependency, VolumeMount
from revieee.ports import ImageGone, NotPulled, Observed, Presence, Refused, ServiceState
from revieee.testing.engines.lab import STARTED, Lab, Role, addresses

_GOOD = frozenset({ServiceState.HEALTHY, ServiceState.COMPLETED})
_PATIENCE = 30.0


def expect(holds: object, words: str) -> None:
    """Fail the test unless it holds.

    Raises:
        AssertionError: with the words.
    """
    if not holds:
        raise AssertionError(words)


def good(seen: Mapping[str, Observed]) -> bool:
    """Whether all services are healthy or complete."""
    return all(one.state in _GOOD for one in seen.values())


def is_state(name: str, *states: ServiceState) -> Callable[[Mapping[str, Observed]], bool]:
    """Give the question whether a service is in one of these states."""
    return lambda seen: seen[name].state in states


class EngineContract:
    """Inherit from it, name the class ``Test…`` and give it a fixture ``lab``."""

    async def test_nothing_is_there_at_first(self, lab: Lab) -> None:
        """Absent is a value, and removing what is not there is no error."""
        place = lab.place(1)
        expect(1 not in await lab.engine.observe_all(lab.instance), "an environment that was never made is not listed")
        expect(await lab.log(place, "web-0") == "", "the log of an absent task is empty")
        await lab.engine.remove(place, ["web-0"])
        await lab.engine.remove(place, None)
        started = await lab.engine.started()
        expect(started is None or started > 0.0, "the engine tells since when it runs, or that it cannot")

    async def test_a_stack_turns_healthy_with_endpoints(self, lab: Lab) -> None:
        """Apply, called again and again, takes a stack to healthy and tells where it answers."""
        place = lab.place(1)
        services = (lab.play("web", Role.SERVES), lab.play("worker", Role.RUNS))
        stack = await lab.resolve(services, exposed=["web"], place=place)
        await lab.engine.prepare(place)
        seen = await lab.until(place, stack, good)
        expect(seen["web"].endpoint is not None, "a service with a URL has an endpoint")
        expect(seen["worker"].endpoint is None, "one without has none")
        presence = (await lab.engine.observe_all(lab.instance))[1]
        expect(presence.keys == stack.keys, f"all tasks are listed: {presence.keys}")
        expect(presence.running == stack.keys, "all run")
        expect(not presence.absent, "an environment with tasks is not absent")

    async def test_apply_leaves_what_runs_alone(self, lab: Lab) -> None:
        """Again, and from another process: nothing is started twice."""
        place = lab.place(1)
        stack = await lab.resolve([lab.play("web", Role.SERVES)], exposed=["web"], place=place)
        await lab.until(place, stack, good)
        for engine in (lab.engine, lab.another()):
            seen = await engine.apply(place, stack)
            expect(good(seen), "it stays healthy")
        log = await lab.log(place, stack.task_of("web").key)
        expect(log.count(STARTED) == 1, f"it started once: {log!r}")

    async def test_apply_heals_what_was_taken_away(self, lab: Lab) -> None:
        """Level-triggered: a task that is missing is made again, whatever the reason."""
        place = lab.place(1)
        stack = await lab.resolve([lab.play("web", Role.SERVES), lab.play("worker", Role.RUNS)], place=place)
        await lab.until(place, stack, good)
        await lab.engine.remove(place, [stack.task_of("worker").key], grace=0)
        seen = await lab.until(place, stack, good)
        expect(good(seen), "both are back")

    async def test_dependencies_are_waited_for(self, lab: Lab) -> None:
        """A service waits until what it depends on is healthy or has completed; a completed one is not run again."""
        place = lab.place(1)
        deaf, once = lab.play("deaf", Role.DEAF), lab.play("once", Role.COMPLETES)
        needs_deaf = replace(
            lab.play("late", Role.RUNS), depends_on=(Dependency(service="deaf", condition=Condition.HEALTHY),)
        )
        needs_once = replace(
            lab.play("next", Role.RUNS), depends_on=(Dependency(service="once", condition=Condition.COMPLETED),)
        )
        stack = await lab.resolve([needs_deaf, needs_once, deaf, once], exposed=["deaf"], place=place)
        seen = await lab.until(place, stack, is_state("next", ServiceState.HEALTHY))
        expect(seen["late"].state is ServiceState.WAITING, f"it waits: {seen['late']}")
        expect("deaf" in seen["late"].words, f"and says for whom: {seen['late'].words!r}")
        expect(seen["once"].state is ServiceState.COMPLETED, f"a task that ended well is complete: {seen['once']}")
        await lab.engine.apply(place, stack)
        log = await lab.log(place, stack.task_of("once").key)
        expect(log.count(STARTED) == 1, f"it ran once: {log!r}")
        presence = (await lab.engine.observe_all(lab.instance))[1]
        expect(stack.task_of("once").key in presence.completed, "the listing tells that it completed")

    async def test_only_some_tasks(self, lab: Lab) -> None:
        """``only`` restricts to keys and what they require."""
        place = lab.place(1)
        db = lab.play("db", Role.RUNS)
        web = replace(lab.play("web", Role.RUNS), depends_on=(Dependency(service="db"),))
        stack = await lab.resolve([web, db, lab.play("other", Role.RUNS)], place=place)
        seen = await lab.engine.apply(place, stack, only=[stack.task_of("web").key])
        wanted = {stack.task_of("web").key, stack.task_of("db").key}
        expect(set(seen) == wanted, f"told of these: {set(seen)}")
        expect((await lab.engine.observe_all(lab.instance))[1].keys == wanted, "made these")

    async def test_a_failure_is_told_with_its_exit_code(self, lab: Lab) -> None:
        """A task that ends with another code than 0 has failed; its log stays readable, also from another process."""
        place = lab.place(1)
        stack = await lab.resolve([lab.play("web", Role.FAILS)], exposed=["web"], place=place)
        seen = await lab.until(place, stack, is_state("web", ServiceState.FAILED))
        expect(seen["web"].exit_code == 3, f"its exit code: {seen['web']}")  # noqa: PLR2004 - the role's
        expect("3" in seen["web"].words, f"in words: {seen['web'].words!r}")
        again = (await lab.another().apply(place, stack))[stack.task_of("web").key]
        expect(again.state is ServiceState.FAILED, "it is not started again by itself")
        expect(STARTED in await lab.log(place, again.key), "its log is there")

    async def test_a_deaf_service_says_why(self, lab: Lab) -> None:
        """One that runs and does not answer is unhealthy, with words, and not failed."""
        place = lab.place(1)
        stack = await lab.resolve([lab.play("web", Role.DEAF)], exposed=["web"], place=place)
        seen = await lab.until(place, stack, is_state("web", ServiceState.UNHEALTHY))
        expect("8080" in seen["web"].words, f"the port is named: {seen['web'].words!r}")

    async def test_stopped_tasks_are_kept_and_start_again(self, lab: Lab) -> None:
        """Stop keeps a task; another process's apply starts it as it was. What completed stays complete."""
        place = lab.place(1)
        once = lab.play("once", Role.COMPLETES)
        web = replace(
            lab.play("web", Role.SERVES), depends_on=(Dependency(service="once", condition=Condition.COMPLETED),)
        )
        stack = await lab.resolve([web, once], exposed=["web"], place=place)
        await lab.until(place, stack, good)
        await lab.engine.stop(place, stack, stack.keys)
        await lab.engine.stop(place, stack, stack.keys)
        presence = (await lab.engine.observe_all(lab.instance))[1]
        expect(presence.keys == stack.keys, "they are kept")
        expect(not presence.running, "they do not run")
        key = stack.task_of("web").key
        expect((await lab.another().apply(place, stack))[key].state is not ServiceState.FAILED, "stopped is not failed")
        await lab.until(place, stack, good)
        expect((await lab.log(place, key)).count(STARTED) == _TWICE, "the same one started again")
        expect((await lab.log(place, stack.task_of("once").key)).count(STARTED) == 1, "what completed did not")

    async def test_a_failed_task_starts_again_once_stopped(self, lab: Lab) -> None:
        """Stop turns a failed task into a stopped one: how a live release is healed with its data."""
        place = lab.place(1)
        stack = await lab.resolve([lab.play("web", Role.FAILS)], place=place)
        await lab.until(place, stack, is_state("web", ServiceState.FAILED))
        await lab.engine.stop(place, stack, stack.keys)
        await lab.engine.apply(place, stack)
        await lab.until(place, stack, is_state("web", ServiceState.FAILED))
        log = await lab.log(place, stack.task_of("web").key)
        expect(log.count(STARTED) == _TWICE, f"it was started a second time: {log!r}")

    async def test_releases_live_side_by_side(self, lab: Lab) -> None:
        """A changed service runs beside the old one, an unchanged one is kept, the old one goes alone."""
        place = lab.place(1)
        web, db = lab.play("web", Role.SERVES), lab.play("db", Role.RUNS)
        old = await lab.resolve([web, db], exposed=["web"], place=place)
        new = await lab.resolve([replace(web, environment=(("COLOUR", "blue"),)), db], exposed=["web"], place=place)
        both = addresses(place, old.keys | new.keys)
        old, new = replace(old, addresses=both), replace(new, addresses=both)
        before = await lab.until(place, old, good)
        after = await lab.until(place, new, good)
        expect(before["web"].endpoint != after["web"].endpoint, "they answer in different places")
        expect((await lab.engine.observe_all(lab.instance))[1].running == old.keys | new.keys, "both run")
        await lab.engine.remove(place, old.keys - new.keys)
        expect((await lab.engine.observe_all(lab.instance))[1].keys == new.keys, "only the old one is gone")
        log = await lab.log(place, old.task_of("db").key)
        expect(log.count(STARTED) == 1, f"what did not change was not started again: {log!r}")

    async def test_volumes_stay_until_the_environment_goes(self, lab: Lab) -> None:
        """A named volume outlives the task that uses it, and not its environment."""
        place = lab.place(1)
        mount = VolumeMount(volume="data", target="/data")
        stack = await lab.resolve([replace(lab.play("db", Role.RUNS), volumes=(mount,))], place=place, volumes=["data"])
        await lab.until(place, stack, good)
        await lab.engine.remove(place, stack.keys, grace=0)
        presence = (await lab.engine.observe_all(lab.instance))[1]
        expect(presence.volumes, "the volume is still there")
        expect(not presence.keys, "the task is not")
        await lab.engine.remove(place, None)
        expect(1 not in await lab.engine.observe_all(lab.instance), "nothing is left")

    async def test_removal_takes_one_environment_whole(self, lab: Lab) -> None:
        """Gone means observed absent; its neighbours, also of another instance with the same number, stay."""
        other = f"{lab.instance}-b"
        places = [lab.place(1), lab.place(11), lab.place(1, instance=other)]
        stacks = [await lab.resolve([lab.play("db", Role.RUNS)], place=place) for place in places]
        for place, stack in zip(places, stacks, strict=True):
            await lab.until(place, stack, good)
        await lab.engine.remove(places[0], None, grace=0)
        await lab.engine.remove(places[0], None, grace=0)
        left = await lab.engine.observe_all(lab.instance)
        expect(set(left) == {11}, f"only it is gone: {set(left)}")
        expect(left[11].running == stacks[1].keys, "its neighbour runs")
        elsewhere = await lab.engine.observe_all(other)
        expect(elsewhere.get(1, Presence()).running == stacks[2].keys, "the other instance's runs")

    async def test_removal_ignores_the_incarnation(self, lab: Lab) -> None:
        """Removing an environment takes what an earlier incarnation left, too."""
        first = lab.place(1, incarnation=1)
        await lab.until(first, await lab.resolve([lab.play("db", Role.RUNS)], place=first), good)
        await lab.engine.remove(lab.place(1, incarnation=2), None, grace=0)
        expect(1 not in await lab.engine.observe_all(lab.instance), "nothing is left")

    async def test_who_removes_late_leaves_what_came_after(self, lab: Lab) -> None:
        """A removal that was begun for an earlier incarnation takes nothing of a later one."""
        later = lab.place(1, incarnation=2)
        stack = await lab.resolve([lab.play("db", Role.RUNS)], place=later, volumes=["data"])
        await lab.until(later, stack, good)
        before = (await lab.engine.observe_all(lab.instance))[1]
        expect(before.incarnation == later.incarnation, f"it is told of which it is: {before}")
        await lab.engine.remove(lab.place(1, incarnation=1), None, grace=0)
        await lab.engine.remove(lab.place(1, incarnation=1), stack.keys, grace=0)
        expect((await lab.engine.observe_all(lab.instance)).get(1) == before, "all of it is there")
        await lab.engine.remove(replace(later, incarnation=0), None, grace=0)
        expect(1 not in await lab.engine.observe_all(lab.instance), "what has no owner goes whatever it is")

    async def test_a_hook_runs_once_and_stays_readable(self, lab: Lab) -> None:
        """A second start is refused, and another process reads the exit code."""
        place = lab.place(1)
        stack = await lab.resolve([lab.play("web", Role.RUNS)], place=place)
        for role, wanted in ((Role.COMPLETES, ServiceState.COMPLETED), (Role.FAILS, ServiceState.FAILED)):
            hook = lab.hook(stack, "web", role, place=place)
            given = replace(stack, addresses=addresses(place, stack.keys | {hook.name}))
            seen = await lab.end_of(place, given, hook)
            expect(seen.state is wanted, f"it ended so: {seen}")
            again = await lab.another().run(place, given, hook)
            expect((again.state, again.exit_code) == (seen.state, seen.exit_code), f"it still tells: {again}")
            log = await lab.log(place, hook.name)
            expect(log.count(STARTED) == 1, f"it ran once: {log!r}")
            await lab.engine.remove(place, [hook.name], grace=0)
        presence = (await lab.engine.observe_all(lab.instance)).get(1, Presence())
        expect(not presence.keys, "hooks are removed by name")

    async def test_a_hook_that_runs_tells_for_how_long(self, lab: Lab) -> None:
        """Also to a process that did not start it, and it counts on."""
        place = lab.place(1)
        stack = await lab.resolve([lab.play("web", Role.RUNS)], place=place)
        hook = lab.hook(stack, "web", Role.RUNS, place=place)
        given = replace(stack, addresses=addresses(place, stack.keys | {hook.name}))
        first = await lab.run_until(place, given, hook, lambda seen: seen.age > 0)
        again = await lab.another().run(place, given, hook)
        expect(first.age <= again.age < _PATIENCE, f"these are seconds since its start: {first.age}, {again.age}")

    async def test_images(self, lab: Lab) -> None:
        """An image that is there is told; one that cannot be had is named, for good or while its registry is away."""
        image = await lab.engine.image(lab.play("web", Role.RUNS).image or "")
        expect(image.id, "an image has an id")
        same = await lab.engine.image(image.reference, pinned=image.id)
        expect(same.id == image.id, "a pinned one is used again")
        try:
            await lab.engine.image("localhost:1/no/such-image:1")
        except (Refused, NotPulled) as error:
            expect("such-image" in str(error), f"it is named: {error}")
        else:
            raise AssertionError("an image that cannot be pulled is refused, or tried again")

    async def test_an_image_that_is_gone_is_told_as_such(self, lab: Lab) -> None:
        """So that whoever asks can have it again."""
        place = lab.place(1)
        stack = await lab.resolve([lab.play("web", Role.RUNS)], place=place)
        lost = replace(stack.tasks[0], image=replace(stack.tasks[0].image, id=f"sha256:{'0' * 64}"))
        hook = lab.hook(replace(stack, tasks=(lost,)), "web", Role.COMPLETES, place=place)
        given = replace(stack, tasks=(lost,), addresses=addresses(place, stack.keys | {hook.name}))
        for doing in (lab.engine.apply(place, given), lab.engine.run(place, given, hook)):
            try:
                await doing
            except ImageGone as error:
                expect("web" in str(error), f"the service is named: {error}")
            else:
                raise AssertionError("nothing can be made of it")

    async def test_events_hint_at_changes(self, lab: Lab) -> None:
        """What happens to an environment's tasks gives a hint with its id."""
        place = lab.place(7)
        stack = await lab.resolve([lab.play("db", Role.RUNS)], place=place)
        hints: list[int] = []

        async def listen() -> None:
            async for environment in lab.engine.events(lab.instance):
                hints.append(environment)  # noqa: PERF401 - read while they come

        listening = asyncio.create_task(listen())
        try:
            async with asyncio.timeout(_PATIENCE):
                while not hints:
                    await lab.engine.apply(place, stack)
                    await asyncio.sleep(0.2)
                    await lab.engine.remove(place, stack.keys, grace=0)
            expect(set(hints) == {7}, f"hints name the environment: {hints}")
        finally:
            listening.cancel()
            await asyncio.wait([listening])

    async def test_check_gives_findings(self, lab: Lab) -> None:
        """``doctor`` gets at least one line, each with words."""
        findings = await lab.engine.check()
        expect(findings, "there are findings")
        expect(all(one.words for one in findings), "each says something")


_TWICE = 2
