"""What commands that read or write the store begin with."""

import contextlib
import time
from collections.abc import Iterator

import click

from revieee.model.environment import Environment
from revieee.model.names import EnvironmentName
from revieee.ports import Refused
from revieee.reconcile.owner import holders, is_of
from revieee.settings import Settings, load
from revieee.store import environments, leases
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


def is_served(settings: Settings, database: Database) -> bool:
    """Tell whether a control plane works: one of this data folder, or one of another on the same database."""
    server = database.read_here(lambda session: leases.server(session, now=time.time()))
    try:
        return bool(holders(settings.data)) or (server is not None and not is_of(settings.data, server))
    except PermissionError:  # the folder is another user's
        return server is not None


def tell_if_unserved(settings: Settings, database: Database) -> None:
    """Say on standard error that what is shown stays as it is, where no control plane works."""
    if not is_served(settings, database):
        # In another folder than the settings' this is another, empty database: the path tells.
        words = f"`revieee serve` does not run on the data in {settings.data.absolute()}: nothing here changes until it"
        click.echo(f"{words} does. See `revieee doctor`.", err=True)


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
