"""How commands tell of errors: in words, on standard error, with exit code 1."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

from revieee.model.names import BadName
from revieee.ports import PortError
from revieee.settings import SettingsError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


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
