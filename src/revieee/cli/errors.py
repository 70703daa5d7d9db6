"""How commands tell of errors: in words, on standard error, with exit code 1."""

import contextlib
import errno
import functools
import os
import sys
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import click

from revieee.model.names import BadName
from revieee.ports import PortError
from revieee.settings import SettingsError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


@contextlib.contextmanager
def written() -> Iterator[None]:
    """End with words where what a command prints cannot be written, as on a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in _UNWRITABLE or error.filename is not None:
            raise
        with contextlib.suppress(OSError):  # what is left of it would be tried again, and told of, at the very end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo(f"revieee: The output could not be written: {error.strerror}.", err=True)
        sys.exit(1)


def told(command: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Make a command end with words instead of a trace where it meets an error that people can mend."""

    @functools.wraps(command)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except BadName as error:
            raise click.UsageError(str(error)) from error
        except (SettingsError, PortError) as error:
            click.echo(f"revieee: {error}", err=True)
            sys.exit(1)

    return wrapped
