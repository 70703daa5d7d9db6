import os
from pathlib import Path

import pytest

from revieee.model.tree import Kind
from revieee.ports import Refused
from revieee.sources import snapshot as taking
from revieee.sources.git import snapshot
from sources.conftest import run


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    run("init", "--quiet", folder=folder)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "gone").write_text("soon")
    (folder / ".gitignore").write_text("node_modules\n*.log\n")
    commit_all(folder)
    return folder


def commit_all(folder: Path) -> None:
    run("add", "--all", folder=folder)
    run("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message=x", folder=folder)


def test_what_is_not_committed_is_there_and_what_is_ignored_is_not(checkout: Path) -> None:
    (checkout / "Dockerfile").write_text("FROM busybox\n")
    (checkout / "new").mkdir()
    (checkout / "new" / "-x\ny").write_text("untracked")
    (checkout / "gone").unlink()
    (checkout / "node_modules").mkdir()
    (checkout / "node_modules" / "x").write_text("")
    (checkout / ".git" / "info" / "exclude").write_text("mine\n")
    (checkout / "mine").write_text("")

    with snapshot(checkout) as tree:
        assert tree.read("Dockerfile") == b"FROM busybox\n"
        assert tree.read("new/-x\ny") == b"untracked"
        assert tree.list() == [".gitignore", "Dockerfile", "new"]


def test_an_ignored_file_that_is_tracked_is_there(checkout: Path) -> None:
    (checkout / "kept.log").write_text("1")
    run("add", "--force", "--", "kept.log", folder=checkout)

    with snapshot(checkout) as tree:
        assert tree.read("kept.log") == b"1"


def test_the_repository_is_not_written_to(checkout: Path) -> None:
    (checkout / "Dockerfile").write_text("FROM busybox\n")
    before = contents(checkout)

    with snapshot(checkout) as tree:
        tree.read("Dockerfile")

    assert contents(checkout) == before


def test_a_folder_that_is_no_repository(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "link").symlink_to("api")

    with snapshot(tmp_path) as tree:
        assert tree.read("link/Dockerfile") == b"FROM scratch\n"
        assert tree.kind("nothing") is None


def test_an_empty_folder_is_an_empty_tree(tmp_path: Path) -> None:
    with snapshot(tmp_path) as tree:
        assert not tree.list()
        assert tree.kind("") is Kind.FOLDER


def test_a_linked_working_tree(checkout: Path, tmp_path: Path) -> None:
    run("worktree", "add", "--quiet", "--", str(tmp_path / "linked"), folder=checkout)
    (tmp_path / "linked" / "Dockerfile").write_text("FROM linked\n")

    with snapshot(tmp_path / "linked") as tree:
        assert tree.read("Dockerfile") == b"FROM linked\n"


def test_a_repository_with_a_split_index(checkout: Path) -> None:
    run("update-index", "--split-index", folder=checkout)
    (checkout / "Dockerfile").write_text("FROM split\n")

    with snapshot(checkout) as tree:
        assert tree.read("Dockerfile") == b"FROM split\n"


def test_a_repository_inside_is_read_as_it_is(checkout: Path) -> None:
    inner = checkout / "lib"
    inner.mkdir()
    run("init", "--quiet", folder=inner)
    (inner / "file").write_text("1")
    commit_all(inner)
    (inner / "file").write_text("2")

    with snapshot(checkout) as tree:
        assert tree.read("lib/file") == b"2"


def test_what_changed_moments_after_a_commit_is_read_as_it_is(checkout: Path) -> None:
    """Of one size and one second, it is told from what was committed by the time of the index (git's racy-git)."""
    written, index = checkout / "state", checkout / ".git" / "index"
    written.write_text("1")
    os.utime(written, (1e9, 1e9))
    commit_all(checkout)
    written.write_text("2")
    os.utime(written, (1e9, 1e9))
    os.utime(index, (1e9, 1e9))

    with snapshot(checkout) as tree:
        assert tree.read("state") == b"2"


def test_filters_of_the_repository_do_not_run(checkout: Path, tmp_path: Path) -> None:
    run("config", "filter.evil.clean", f"touch {tmp_path}/ran; cat", folder=checkout)
    (checkout / ".gitattributes").write_text("* filter=evil\n")
    (checkout / "Dockerfile").write_text("FROM changed\n")

    with snapshot(checkout) as tree:
        assert tree.read("Dockerfile") == b"FROM changed\n"
    assert not (tmp_path / "ran").exists()


def test_a_folder_of_too_many_files_is_refused(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "MOST_FILES", 1)
    (checkout / "Dockerfile").write_text("FROM changed\n")
    with snapshot(checkout):
        pass  # what the repository has already does not count
    (checkout / "new").write_text("")
    with pytest.raises(Refused, match="holds more than 1 files that no commit has"), snapshot(checkout):
        pass


def test_one_of_too_large_files_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "disk").open("wb") as file:
        file.truncate(taking.MOST_BYTES + 1)
    with pytest.raises(Refused, match="holds more than 4 GiB"), snapshot(tmp_path):
        pass


def test_one_that_cannot_be_looked_through_in_time_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "_PATIENCE", 0.0)
    with pytest.raises(Refused, match="than can be looked through in 0 s"), snapshot(tmp_path):
        pass


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no folder"), snapshot(tmp_path / "nothing"):
        pass
