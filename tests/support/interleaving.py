"""Two transactions that interleave: one is stopped after a statement until the other is over, or waits for it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session

from revieee.store.database import Database

Result = TypeVar("Result")
Other = TypeVar("Other")

_WAITS = 0.5
"""Seconds after which the other one is taken to wait for a lock: without one it takes some milliseconds."""


def interleaved(
    database: Database, work: Callable[[Session], Result], other: Callable[[], Other], *, after: str = "SELECT"
) -> tuple[Result, Other]:
    """Run ``work`` in one transaction and, in the middle of it, ``other`` with transactions of its own.

    Args:
        database: of ``work``.
        work: is stopped once, when its first statement that has the text ``after`` in it was carried out.
        other: what another process does meanwhile.
        after: a piece of SQL, as SQLAlchemy writes it.
    """
    begun: list[Future[Other]] = []
    with ThreadPoolExecutor(1) as threads:

        def stop(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if after in statement and not begun:
                begun.append(threads.submit(other))
                with suppress(StillWaiting):
                    begun[0].result(_WAITS)

        def stopped(session: Session) -> Result:
            connection: Connection = session.connection()
            event.listen(connection, "after_cursor_execute", stop)
            return work(session)

        result = database.run_here(stopped)
        assert begun, f"no statement has {after!r} in it"
        return result, begun[0].result()
