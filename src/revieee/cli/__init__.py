"""The command line: a table of commands, each loaded when it is asked for."""

import importlib
from typing import Any

import click

from revieee import __version__
from revieee.cli.errors import written

COMMANDS = {
    "serve": "revieee.cli.serve",
    "doctor": "revieee.cli.doctor",
    "list": "revieee.cli.show",
    "show": "revieee.cli.show",
    "logs": "revieee.cli.logs",
    "deploy": "revieee.cli.wish",
    "destroy": "revieee.cli.wish",
    "approve": "revieee.cli.wish",
    "sync": "revieee.cli.sync",
    "plan": "revieee.cli.plan",
    "secret": "revieee.cli.secret",
    "uninstall": "revieee.cli.uninstall",
}
"""Module by command; the command's function has the command's name."""


class _Table(click.Group):
    """A group whose commands are imported when they are used, so that `plan` needs no database driver."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's form
        """Give the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's form
        """Load one command."""
        if cmd_name not in COMMANDS:
            return None
        name = "list_" if cmd_name == "list" else cmd_name
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name]), name)
        return command

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- click's form
        """Run one command, the help among them."""
        with written():
            return super().main(*args, **kwargs)


@click.group(cls=_Table, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="revieee")
def main() -> None:
    """Review apps, in-house: every pull request has its own running copy, at its own URL.

    Settings come from environment variables REVIEEE_… and from revieee.toml in this folder (docs/settings.md).
    An environment is named owner/repository#12. Exit codes: 0 done, 1 refused or failed, 2 wrong usage,
    130 no longer followed (Ctrl-C).
    """
