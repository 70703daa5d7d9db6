"""The database: opening it, checking its age, and running short transactions in threads of its own."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from revieee.ports import Fault, Finding, RetryLater, Severity
from revieee.store.connecting import READING, create, database_url, plain, shown
from revieee.store.schema import MetaRow
from revieee.store.upgrade import is_current, upgrade

Result = TypeVar("Result")

_TRIES = 3
_READERS = 2
_SERVER_THREADS = 4
_PASSING = (OperationalError, InterfaceError, InternalError, PoolTimeout)
"""The database, not the statement, is the reason: locked, a deadlock's victim, gone."""


class Database:
    """One database. Open it with :meth:`open`, close it with :meth:`close`."""

    def __init__(self, url: str) -> None:
        """Nothing is connected yet.

        Args:
            url: ``REVIEEE_DATABASE_URL``.

        Raises:
            Fault: it is no address of a database that Revieee works on, or its folder cannot be made.
        """
        self.url = database_url(url)
        self._engine = create(self.url)
        sqlite = self.url.get_backend_name() == "sqlite"
        # SQLite has one writer: one thread keeps callers from waiting on each other's locks, and readers need none.
        self._threads = ThreadPoolExecutor(1 if sqlite else _SERVER_THREADS, thread_name_prefix="store")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="read") if sqlite else self._threads

    def open(self) -> None:
        """Connect and bring the tables up to this code's version. Two processes may do so at once.

        Raises:
            Fault: the database cannot be reached or used, or is newer than this code.
        """
        try:
            upgrade(self._engine)
        except (DBAPIError, PoolTimeout, Fault) as error:
            self._engine.dispose()
            if isinstance(error, Fault):
                raise
            raise Fault(
                f"The database {shown(self.url)} cannot be reached or used: {plain(error, self.url)}. "
                "Check REVIEEE_DATABASE_URL, that the server runs, and that its user may make tables."
            ) from None

    async def run(self, work: Callable[[Session], Result]) -> Result:
        """Run ``work`` in one transaction, in a thread, and commit it.

        ``work`` may be run again when the database was locked or chose it as a deadlock's victim. A caller that is
        cancelled meanwhile goes on only when the transaction is over: it never lands later than what comes after.

        Raises:
            RetryLater: the database does not answer.
        """
        return await _in_thread(self._threads, self.run_here, work)

    async def read(self, work: Callable[[Session], Result]) -> Result:
        """Run ``work``, which writes nothing, beside whoever writes. Raises as :meth:`run` does."""
        return await _in_thread(self._readers, self.read_here, work)

    def run_here(self, work: Callable[[Session], Result]) -> Result:
        """Do what :meth:`run` does, in this thread."""
        return self._tried(self._engine, work)

    def read_here(self, work: Callable[[Session], Result]) -> Result:
        """Do what :meth:`read` does, in this thread."""
        return self._tried(self._engine.execution_options(**{READING: True}), work)

    def _tried(self, engine: Engine, work: Callable[[Session], Result]) -> Result:
        for left in reversed(range(_TRIES)):
            finishing = False
            try:
                with Session(engine, expire_on_commit=False) as session:
                    result = work(session)
                    session.flush()
                    finishing = True
                    session.commit()
                    return result
            except IntegrityError:  # two made the same row at once; the second finds it at its next try
                if not left:
                    raise
            except _PASSING as error:
                # A connection lost at the commit leaves open whether it happened: only the caller can look.
                lost = isinstance(error, DBAPIError) and error.connection_invalidated
                if not left or (finishing and lost):
                    raise RetryLater(f"The database did not answer: {plain(error, self.url)}.") from error
        raise AssertionError("the loop above returns or raises")

    def instance(self) -> str:
        """Give this installation's id, made at the first call."""
        return self._made_once("instance", secrets.token_hex(4))

    def image_secret(self) -> str:
        """Give what makes the names of built images unguessable, made at the first call."""
        return self._made_once("image_secret", secrets.token_hex(16))

    def _made_once(self, key: str, value: str) -> str:
        def work(session: Session) -> str:
            row = session.get(MetaRow, key)
            if row is None:
                row = MetaRow(key=key, value=value)
                session.add(row)
            return row.value

        return self.run_here(work)

    def known_instance(self) -> str | None:
        """Give this installation's id, or None where it has none yet; changes nothing.

        Raises:
            Fault: the database is newer than this code.
            RetryLater: it does not answer.
        """
        if not is_current(self._engine):
            return None
        row = self.read_here(lambda session: session.get(MetaRow, "instance"))
        return row.value if row else None

    def check(self) -> Finding:
        """Tell whether the database answers; changes nothing in it."""
        try:
            current = is_current(self._engine)
        except Fault as fault:
            return Finding(subject="database", severity=Severity.BAD, words=str(fault))
        except (DBAPIError, PoolTimeout) as error:
            words = f"{shown(self.url)} cannot be reached or used: {plain(error, self.url)}"
            mend = "Check REVIEEE_DATABASE_URL, and that the server runs."
            return Finding(subject="database", severity=Severity.BAD, words=words, mend=mend)
        words = (
            "answers and is up to date" if current else "answers; its tables are brought up to date at the next start"
        )
        return Finding(subject="database", severity=Severity.GOOD, words=f"{shown(self.url)} {words}")

    def close(self) -> None:
        """Finish what runs and disconnect."""
        self._threads.shutdown()
        self._readers.shutdown()
        self._engine.dispose()


async def _in_thread(
    threads: ThreadPoolExecutor, run: Callable[[Callable[[Session], Result]], Result], work: Callable[[Session], Result]
) -> Result:
    job = threads.submit(run, work)
    future = asyncio.wrap_future(job)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if not job.cancel():  # it runs
            future.add_done_callback(_ignored)
            await asyncio.wait([future])
        raise


def _ignored(future: asyncio.Future[Result]) -> None:
    """Take notice of how it ended, although whoever wanted to know is gone."""
    if not future.cancelled():
        future.exception()
