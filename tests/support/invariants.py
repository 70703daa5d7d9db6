"""What must be true: at every instant, and when everything has calmed down."""

from collections import Counter
from collections.abc import Iterator, Mapping

from sqlalchemy import select

from revieee.model.environment import Environment
from revieee.model.facts import PullRequestFacts
from revieee.model.phases import Phase, Verdict
from revieee.model.route import RouteState
from revieee.model.telling import view_of
from revieee.ports import Presence
from revieee.store import images
from revieee.store.schema import EnvironmentRow, PinRow, PulledRow, ReleaseRow, RouteRow
from support.outside import SKIP, Outside

SERVING = frozenset({RouteState.UP, RouteState.HOLD})
CHECKOUTS = "checkouts"


def number_of(hostname: str) -> int:
    """The pull request that a host belongs to."""
    return int(hostname.partition(".")[0].rpartition("-")[2])


def at_every_instant(around: Outside) -> Iterator[str]:
    """Routes lead to what runs, and never to another's; no volume has two writers."""
    query = "SELECT address, environment, status, key FROM containers WHERE instance = ? AND address IS NOT NULL"
    by_address: dict[str, list[Mapping[str, object]]] = {}
    for row in around.world.read(query, around.instance):
        by_address.setdefault(row["address"], []).append(row)
    for address, several in by_address.items():
        if len({one["environment"] for one in several}) > 1:
            yield f"{address} is the address of two environments"
    numbers: dict[int, int] = {}
    for hostname, route in around.router.routes.items():
        if route.state is not RouteState.UP or route.endpoint is None:
            continue
        numbers = numbers or _numbers(around)
        there = by_address.get(route.endpoint.host, [])
        if any(numbers.get(int(str(one["environment"]))) != number_of(hostname) for one in there):
            yield f"{hostname} leads to another environment: {there}"
        if not any(one["status"] == "running" for one in there):
            yield f"{hostname} is up and leads to {route.endpoint}, where nothing runs"
    yield from _writers(around)


def _numbers(around: Outside) -> dict[int, int]:
    query = select(EnvironmentRow.id, EnvironmentRow.number)
    rows = around.database.run_here(lambda session: session.execute(query).all())
    return {row.id: row.number for row in rows}


def _writers(around: Outside) -> Iterator[str]:
    query = (
        "SELECT environment, COUNT(*) AS count FROM containers WHERE service = 'db' AND status = 'running'"
        " GROUP BY environment HAVING count > 1"
    )
    for row in around.world.read(query):
        yield f"environment {row['environment']}: {row['count']} databases write one volume"


async def when_calm(
    around: Outside, truth: Mapping[int, PullRequestFacts], destroyed: Mapping[int, str] | None = None
) -> list[str]:
    """Everything that is not as it should be, once nothing more happens."""
    present = _presences(around)
    found = list(_rows(around))
    for environment in around.everything().values():
        there = present.pop(environment.id, Presence())
        said = truth[environment.name.number]
        if environment.facts.head_commit != said.head_commit or environment.facts.open != said.open:
            found.append(f"{environment.name}: the facts are not those of GitHub")
        asked_to_go = (destroyed or {}).get(environment.name.number) == said.head_commit
        wanted = said.open and SKIP not in said.title and not asked_to_go
        check = _there(around, environment, there) if wanted else _gone(around, environment, there)
        found += [f"{environment.name}: {one}" for one in check]
        found += [f"{environment.name}: {one}" for one in _told(around, environment)]
    found += [f"the engine has of environment {id_}, which no row names: {there}" for id_, there in present.items()]
    found += list(at_every_instant(around))
    found += list(_once(around))
    return found


def _presences(around: Outside) -> dict[int, Presence]:
    """What is on the engine, asked behind the engine's back so that no fault comes between."""
    found: dict[int, dict[str, set[str]]] = {}
    for row in around.world.read("SELECT environment, key, status FROM containers"):
        kinds = found.setdefault(row["environment"], {})
        kinds.setdefault("keys", set()).add(row["key"])
        if row["status"] == "running":
            kinds.setdefault("running", set()).add(row["key"])
    for row in around.world.read("SELECT environment, kind, name FROM things WHERE environment != 0"):
        found.setdefault(row["environment"], {}).setdefault(f"{row['kind']}s", set()).add(row["name"])
    names = ("keys", "running", "networks", "volumes", "images")
    sets = {id_: [frozenset(kinds.get(name, ())) for name in names] for id_, kinds in found.items()}
    return {
        id_: Presence(keys=keys, running=running, networks=networks, volumes=volumes, images=images)
        for id_, (keys, running, networks, volumes, images) in sets.items()
    }


def _rows(around: Outside) -> Iterator[str]:
    rows = around.database.run_here(lambda session: session.scalars(select(EnvironmentRow)).all())
    for row in rows:
        if row.lease_owner is not None or row.lease_until is not None:
            yield f"environment {row.id}: {row.lease_owner} holds a lease"
        if row.due_at is not None:
            yield f"environment {row.id} is due, and nobody works on it: {row.waiting_for or 'no reason'}"
    slots = Counter(row.slot for row in rows if row.slot is not None)
    yield from (f"subnet {slot} has {count} environments" for slot, count in slots.items() if count > 1)
    going = select(ReleaseRow.environment_id, ReleaseRow.phase).where(ReleaseRow.phase != Phase.ENDED.value)
    found = around.database.run_here(lambda session: session.execute(going).all())
    for (id_, phase), count in Counter((id_, phase) for id_, phase in found).items():
        if phase != Phase.LIVE or count > 1:
            yield f"environment {id_} has {count} releases that are {phase}"
    yield from (f"image {one} is pulled and unused" for one in around.database.run_here(images.unused))
    known = set(around.database.run_here(lambda session: session.scalars(select(PulledRow.image_id)).all()))
    pulling = set(around.database.run_here(lambda session: session.scalars(select(PinRow.reference)).all()))
    for image in around.world.read("SELECT name, reference FROM things WHERE environment = 0"):
        if image["name"] not in known and image["reference"] not in pulling:
            yield f"image {image['name']} was pulled and no row names it"
    folder = around.folder / CHECKOUTS
    left = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
    yield from (f"checkout {one} is left over" for one in left)


def _there(around: Outside, environment: Environment, there: Presence) -> Iterator[str]:
    newest, live = environment.newest, environment.live
    if newest is None or newest.inputs != environment.inputs or newest.incarnation != environment.incarnation:
        yield f"what is wanted now was never begun; the newest release is {newest and newest.commit[:8]}"
        return
    if newest.phase is not Phase.LIVE and newest.verdict not in {Verdict.FAILED, Verdict.UNCHANGED}:
        vanished = newest.verdict is Verdict.SUPERSEDED and newest.commit not in around.source.commits
        if not vanished:
            yield f"the newest release is {newest.phase} {newest.verdict}"
    if newest.verdict is Verdict.FAILED and not newest.reason:
        yield "it failed and no reason is told"
    if newest.verdict is Verdict.FAILED and "is not there" in newest.reason:
        yield f"it failed of an image that could be had again: {newest.reason}"
    needed = live.keys if live else frozenset()
    if there.keys != needed:
        yield f"the engine has {sorted(there.keys)}, the live release names {sorted(needed)}"
    if there.running != needed:
        yield f"only {sorted(there.running)} of {sorted(needed)} run"
    used = {task.image.id for task in live.stack.tasks} if live and live.stack else set()
    built = {
        row["name"] for row in around.world.read("SELECT name FROM things WHERE kind = 'image' AND environment != 0")
    }
    if there.images - used or (used & there.images) != (used & built):
        yield f"images {sorted(there.images)} are there, {sorted(used)} are used"
    if live and len(there.networks) != 1:
        yield f"networks {sorted(there.networks)}"
    yield from _routes(around, environment)


def _routes(around: Outside, environment: Environment) -> Iterator[str]:
    live = environment.live
    mine = {host: route for host, route in around.router.routes.items() if number_of(host) == environment.name.number}
    rows = around.database.run_here(
        lambda session: session.scalars(select(RouteRow).where(RouteRow.environment_id == environment.id)).all()
    )
    recorded = {row.hostname: row.version for row in rows if row.state != RouteState.GONE}
    if recorded != {host: route.version for host, route in mine.items()}:
        yield f"the router has {mine}, the rows say {recorded}"
    if not mine:
        yield "no route leads to it"
    endpoints = dict(live.endpoints) if live else {}
    for host, route in mine.items():
        if live and (route.state is not RouteState.UP or route.endpoint != endpoints.get("web")):
            yield f"{host} does not lead to the live release: {route}"
        if not live and route.endpoint is not None:
            yield f"{host} leads to {route.endpoint}, and nothing is live"


def _gone(around: Outside, environment: Environment, there: Presence) -> Iterator[str]:
    if environment.placed or environment.removing or environment.slot is not None:
        yield "it is not wanted, and still placed"
    if not there.absent:
        yield f"it is not wanted, and there is {there}"
    if environment.wanted and not environment.excluded:
        yield "it is wanted, and should not be"
    mine = [host for host in around.router.routes if number_of(host) == environment.name.number]
    if mine:
        yield f"it is not wanted, and routes are there: {mine}"


def _told(around: Outside, environment: Environment) -> Iterator[str]:
    view = view_of(environment, instance=around.instance, base_url=around.policy.base_url)
    said = around.reporter.comments.get(str(environment.name))
    if said != view:
        yield f"the comment says {said and said.headline!r} {said and said.reason!r}, and it is {view.headline!r}"
    if around.reporter.made[str(environment.name)] > 1:
        yield "it has several comments"


def _once(around: Outside) -> Iterator[str]:
    """Hooks: each runs once for its release, and a ``create`` that succeeded is not run again in that incarnation."""
    runs = Counter((act.environment, act.key) for act in around.world.acts("run"))
    yield from (f"environment {id_}: {key} ran {count} times" for (id_, key), count in runs.items() if count > 1)
    query = select(ReleaseRow.id, ReleaseRow.incarnation)
    rows = around.database.run_here(lambda session: session.execute(query).all())
    incarnations = {row.id: row.incarnation for row in rows}
    for kind in ("create", "destroy"):
        per = Counter(
            (id_, incarnations.get(int(key.rpartition("-")[2]))) for id_, key in runs if key.startswith(f"hook-{kind}-")
        )
        for (id_, incarnation), count in per.items():
            if count > 1:
                yield f"environment {id_}: {kind} ran {count} times in incarnation {incarnation}"
