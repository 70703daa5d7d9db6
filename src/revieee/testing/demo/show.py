"""How the demo looks in a terminal: numbered steps with their durations, at any width, also where nobody looks."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.markdown import Markdown
from rich.padding import Padding
from rich.panel import Panel
from rich.status import Status
from rich.table import Table
from rich.text import Text

_INDENT = 3
_NARROWEST, _WIDEST = 40, 100


class Show:
    """The demo's screen."""

    def __init__(self, console: Console, steps: int) -> None:
        """Take where to write and how many steps there will be."""
        self.console = console
        self.width = max(_NARROWEST, min(console.width, _WIDEST))
        self._steps, self._number = steps, 0

    @contextmanager
    def step(self, title: str) -> Iterator["Step"]:
        """Show one step from its beginning to its end, with how long it took."""
        self._number += 1
        began = time.monotonic()
        self.console.print()
        self.console.print(Text.assemble((f"{self._number}/{self._steps} ", "bold cyan"), (title, "bold")))
        status = self.console.status("", spinner_style="cyan") if self.console.is_terminal else None
        step = Step(self, status)
        if status:
            status.start()
        try:
            yield step
        except BaseException:
            step.ended()
            self._line("✗", "red", f"not done after {time.monotonic() - began:.1f} s")
            raise
        step.ended()
        self._line("✓", "green", f"{step.result or 'done'} · {time.monotonic() - began:.1f} s")

    def _line(self, mark: str, style: str, words: str) -> None:
        self.inside(Text.assemble((f"{mark} ", style), words))

    def inside(self, what: Text | Table | Panel | Group) -> None:
        """Print something below the step's title."""
        self.console.print(Padding(what, (0, 0, 0, _INDENT), expand=False), width=self.width)

    def pairs(self, rows: Mapping[str, str]) -> None:
        """Print names with what they stand for; long ones are broken, never cut."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, words in rows.items():
            table.add_row(name, Text(words))
        self.inside(table)

    def comment(self, author: str, body: str) -> None:
        """Print a comment as a pull request shows it."""
        shown = "\n".join(line for line in body.splitlines() if not line.startswith("<!--")).strip()
        panel = Panel(Markdown(shown), title=author, title_align="left", border_style="dim")
        self.inside(panel)

    def proof(self, rows: Sequence[tuple[str, int, int]]) -> None:
        """Print what there was and what is left."""
        table = Table(header_style="bold", border_style="dim")
        table.add_column("What")
        table.add_column("While open", justify="right")
        table.add_column("Left", justify="right")
        for what, before, after in rows:
            table.add_row(what, str(before), Text(str(after), style="bold red" if after else "green"))
        self.inside(table)

    def say(self, words: str = "", style: str = "") -> None:
        """Print a line."""
        self.console.print(Text(words, style=style), width=self.width)


class Step:
    """One step under way."""

    def __init__(self, show: Show, status: Status | None) -> None:
        self._show, self._status = show, status
        self._began = time.monotonic()
        self.result = ""
        """What is said behind the tick at the end."""

    def doing(self, words: str) -> None:
        """Say what is waited for; seen in a terminal only."""
        if self._status:
            self._status.update(Text(words, style="dim"))

    def happened(self, words: str) -> None:
        """Say that something happened, and when."""
        self._show.inside(Text.assemble((f"{time.monotonic() - self._began:4.1f} s  ", "dim"), words))

    def ended(self) -> None:
        """Take the spinner away."""
        if self._status:
            self._status.stop()
            self._status = None
