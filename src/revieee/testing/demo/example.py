"""The repository that the demo plays with, and the two changes that its pull request makes."""

from collections.abc import Mapping
from pathlib import Path

REPOSITORY = "acme/shop"
BRANCH = "autumn"
TITLE = "Autumn is in the window"
MAIN, OTHER = "web", "stock"
"""The service that changes, and the one that does not."""

FIRST: Mapping[str, str] = {
    "web/headline.txt": "Autumn is in the window\n",
    "web/theme.css": ":root { --accent: #a4471a; --tint: #fbeee0; }\n",
}
"""What the pull request changes."""
SECOND: Mapping[str, str] = {
    "web/headline.txt": "Autumn is here, scarves are 20% off\n",
    "web/theme.css": ":root { --accent: #7b2d52; --tint: #f7e9ef; }\n",
}
"""What is pushed to it later."""


class NoExample(Exception):
    """The folder is not there, or holds no files."""


def files_of(folder: Path) -> dict[str, str]:
    """Read all files below a folder, as a repository's first commit.

    Raises:
        NoExample: there are none.
    """
    found = {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}
    if not found:
        raise NoExample(f"{folder} holds no files. Name the folder of the example with --example.")
    return found
