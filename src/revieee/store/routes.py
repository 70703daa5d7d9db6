"""Routes: which host belongs to whom and leads where, each change under a higher version."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from revieee.model.route import Endpoint, Route, RouteState
from revieee.store.counting import next_number
from revieee.store.schema import RouteRow

_VERSION = "route_version"


def claim(session: Session, environment_id: int, hosts: Mapping[str, str], *, now: float) -> bool:
    """Take hostnames for an environment: all, or none where one is another environment's.

    Args:
        session: of the store.
        environment_id: whose.
        hosts: service by hostname.
        now: Unix time, seconds.
    """
    locked = select(RouteRow).where(RouteRow.hostname.in_(hosts)).order_by(RouteRow.hostname).with_for_update()
    rows = {row.hostname: row for row in session.scalars(locked)}
    if not all(_free_for(environment_id, row) for row in rows.values()):
        return False
    fresh = [one for one in hosts if one not in rows or rows[one].state == RouteState.GONE]
    version = next_number(session, _VERSION) if fresh else 0
    for hostname in fresh:
        row = rows.get(hostname)
        if row is None:  # if another made it just now, this fails, and all of it is run again and sees that
            row = rows[hostname] = _new(session, hostname)
        row.environment_id = environment_id
        row.state, row.host, row.port = RouteState.BUILDING.value, None, None
        row.version, row.changed_at = version, now
    for hostname, service in hosts.items():
        rows[hostname].environment_id, rows[hostname].service = environment_id, service
    return True


def set_routes(
    session: Session, environment_id: int, wanted: Mapping[str, tuple[str, RouteState, Endpoint | None]], *, now: float
) -> Sequence[Route]:
    """Make an environment's routes exactly these; hosts that are left out become ``gone``.

    A host that is another environment's is left alone, whatever is wanted of it.

    Args:
        session: of the store.
        environment_id: whose.
        wanted: (service, state, endpoint) by hostname.
        now: Unix time, seconds.

    Returns:
        All routes of the environment, also the gone ones, to push.
    """
    # Locked: one of ours that is gone may be taken by another, or forgotten, at any moment.
    mine = select(RouteRow).where(RouteRow.environment_id == environment_id).order_by(RouteRow.hostname)
    rows = {row.hostname: row for row in session.scalars(mine.with_for_update())}
    for hostname in sorted(wanted.keys() - rows.keys()):
        row = _row(session, hostname)
        if _free_for(environment_id, row):
            row.environment_id, row.state = environment_id, ""
            rows[hostname] = row
    version: int | None = None
    for hostname, row in rows.items():
        service, state, endpoint = wanted.get(hostname, ("", RouteState.GONE, None))
        leads = (state.value, endpoint.host if endpoint else None, endpoint.port if endpoint else None)
        if (row.state, row.host, row.port) != leads:
            version = version or next_number(session, _VERSION)
            row.state, row.host, row.port = leads
            row.version, row.changed_at = version, now
        row.service = service or row.service
    return [_route(row) for row in rows.values()]


def _free_for(environment_id: int, row: RouteRow) -> bool:
    return row.environment_id in {None, environment_id} or row.state == RouteState.GONE


def _row(session: Session, hostname: str) -> RouteRow:
    """Give a host's row, locked; a new one belongs to nobody yet."""
    row = session.get(RouteRow, hostname, with_for_update=True)
    return _new(session, hostname) if row is None else row


def _new(session: Session, hostname: str) -> RouteRow:
    row = RouteRow(hostname=hostname, service="", state="", version=0, changed_at=0.0)
    session.add(row)
    return row


def of_environment(session: Session, environment_id: int) -> Sequence[Route]:
    """Give the routes of one environment."""
    return [_route(row) for row in session.scalars(select(RouteRow).where(RouteRow.environment_id == environment_id))]


def everything(session: Session) -> Sequence[Route]:
    """Give all routes, also those that are gone but remembered."""
    columns = select(RouteRow.hostname, RouteRow.state, RouteRow.host, RouteRow.port, RouteRow.version)
    return [_leading(*row) for row in session.execute(columns)]


def find(session: Session, hostname: str) -> tuple[Route, int] | None:
    """Give one host's route and the environment it belongs to."""
    row = session.get(RouteRow, hostname)
    return None if row is None else (_route(row), row.environment_id)


def forget(session: Session, *, before: float) -> None:
    """Drop routes that are gone since before that time."""
    session.execute(delete(RouteRow).where(RouteRow.state == RouteState.GONE.value, RouteRow.changed_at < before))


def _route(row: RouteRow) -> Route:
    return _leading(row.hostname, row.state, row.host, row.port, row.version)


def _leading(hostname: str, state: str, host: str | None, port: int | None, version: int) -> Route:
    endpoint = Endpoint(host, port) if host is not None and port is not None else None
    return Route(hostname=hostname, state=RouteState(state), endpoint=endpoint, version=version)
