"""What commands that read or write the store begin with."""

import contextlib
from collections.abc import Iterator

from revieee.model.environment import Environment
from revieee.model.names import EnvironmentName
from revieee.ports import Refused
from revieee.settings import Settings, load
from revieee.store import environments
from revieee.store.database import Database
from revieee.wiring import open_database


@contextlib.contextmanager
def opened() -> Iterator[tuple[Settings, Database]]:
    """Open settings and store for one command."""
    settings = load()
    database = open_database(settings)
    try:
        yield settings, database
    finally:
        database.close()


def find(database: Database, name: str) -> Environment:
    """Find an environment by its name.

    Raises:
        BadName: that is no name of an environment.
        Refused: there is none of that name.
    """
    wanted = EnvironmentName.parse(name)
    found = database.read_here(lambda session: environments.find(session, wanted))
    if found is None:
        raise Refused(f"There is no environment {wanted}. `revieee list --all` shows all there are.")
    return found
