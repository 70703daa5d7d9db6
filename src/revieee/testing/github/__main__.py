"""The practice GitHub as a command: `python -m revieee.testing.github --data DIR --webhook URL --secret WORD`.

It keeps its records in memory and its git repositories under the data folder. When it serves, it writes
`practice.json` there (mode 0600) with its addresses and a token of the owner and of the bot, and prints where it is.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import click

from revieee.testing.github.git import GitFile
from revieee.testing.github.hub import DefaultHook
from revieee.testing.github.practice import PracticeGitHub, Settings
from revieee.testing.github.repositories import NewRepository


@dataclass(frozen=True)
class Seed:
    """A repository to begin with: its full name and the folder that its first commit holds."""

    full_name: str
    folder: Path

    @classmethod
    def parse(cls, text: str) -> Seed:
        """Read `owner/name=FOLDER`.

        Raises:
            click.BadParameter: it is not of that form, or the folder is not there.
        """
        name, _, folder = text.partition("=")
        if name.count("/") != 1 or not Path(folder).is_dir():
            raise click.BadParameter(f"{text!r} is not owner/name=FOLDER with a folder that exists")
        return cls(name, Path(folder))

    def files(self) -> dict[str, GitFile]:
        """Read the folder; the execute bit and symbolic links are kept, `.git` is left out."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder)
            if name.parts[0] == ".git" or (path.is_dir() and not path.is_symlink()):
                continue
            if path.is_symlink():
                found[str(name)] = GitFile(os.fsencode(path.readlink()), "120000")
            else:
                found[str(name)] = GitFile(path.read_bytes(), "100755" if os.access(path, os.X_OK) else "100644")
        return found


async def run(folder: Path, settings: Settings, seeds: list[Seed], bot: str) -> None:
    """Serve until the process is told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with PracticeGitHub(folder, settings) as github:
        tokens = {bot: github.personal_token(bot)}
        for seed in seeds:
            one = await github.create_repository(NewRepository(seed.full_name, seed.files()))
            github.set_permission(seed.full_name, bot, "admin")
            if one.owner.login not in tokens:
                tokens[one.owner.login] = github.personal_token(one.owner.login)
        _note(folder, {"web": github.web, "api": github.api, "bot": bot, "tokens": tokens})
        click.echo(f"Practice GitHub: {github.web} (API {github.api}, tokens in {folder / 'practice.json'})")
        await stop.wait()


def _note(folder: Path, facts: dict[str, object]) -> None:
    place = folder / "practice.json"
    place.unlink(missing_ok=True)
    place.touch(mode=0o600)
    place.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=0, show_default=True, help="The port; 0 takes a free one.")
@click.option("--data", required=True, type=click.Path(path_type=Path, file_okay=False), help="An empty folder.")
@click.option("--webhook", help="The webhook that every repository gets.")
@click.option("--secret", default="", envvar="PRACTICE_GITHUB_SECRET", help="The webhook's secret.")
@click.option("--prefix", default="/api/v3", show_default=True, help="Where the API is.")
@click.option("--public", help="The address that people and programs call it by.")
@click.option("--bot", default="revieee-bot", show_default=True, help="The account that gets a token.")
@click.option("--repository", "seeds", multiple=True, metavar="OWNER/NAME=FOLDER", help="A repository to begin with.")
def main(data: Path, bot: str, seeds: tuple[str, ...], webhook: str | None, secret: str, **where: str | int) -> None:
    """Run a GitHub to practise on."""
    hook = None if not webhook else DefaultHook(webhook, secret)
    public = str(where["public"]).rstrip("/") if where["public"] else None
    settings = Settings(str(where["host"]), int(where["port"]), str(where["prefix"]).rstrip("/"), public, hook)
    data.mkdir(parents=True, exist_ok=True)
    asyncio.run(run(data.resolve(), settings, [Seed.parse(text) for text in seeds], bot))


if __name__ == "__main__":
    main()
