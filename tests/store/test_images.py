"""Pulled images: pinned for the environments that use them, ours to forget when nobody does."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from revieee.model.image import Image
from revieee.store import images
from revieee.store.database import Database
from support.storing import NOW, many

WEEK = 7 * 86_400.0


def pin(database: Database, id_: int, image: str, *, refreshed: bool = False, now: float = NOW) -> None:
    put(database, id_, Image(id=image, reference="postgres:16", pulled=True), refreshed=refreshed, now=now)


def put(database: Database, id_: int, image: Image, *, refreshed: bool = False, now: float = NOW) -> bool:
    return database.run_here(lambda session: images.pin(session, id_, image, refreshed=refreshed, now=now))


def claim(database: Database, id_: int) -> str | None:
    return database.run_here(lambda session: images.claim(session, id_, now=NOW))


def forgotten(database: Database, id_: int, image: str) -> None:
    database.run_here(lambda session: images.forgotten(session, id_, image))


def pinned(
    database: Database, id_: int, reference: str = "postgres:16", *, fresh_since: float = 0
) -> tuple[str | None, bool]:
    return database.run_here(lambda session: images.pinned(session, id_, reference, fresh_since=fresh_since))


def unused(database: Database) -> list[str]:
    return list(database.run_here(images.unused))


def test_an_image_is_pinned_for_its_environment(database: Database) -> None:
    first, second = many(database, 2)
    pin(database, first, "sha256:a")
    assert pinned(database, first) == ("sha256:a", False)
    assert pinned(database, second) == (None, False)
    assert pinned(database, first, "postgres:15") == (None, False)


def test_after_some_time_a_newer_one_is_looked_for(database: Database) -> None:
    (id_,) = many(database, 1)
    pin(database, id_, "sha256:a")
    assert pinned(database, id_, fresh_since=NOW) == ("sha256:a", False)
    assert pinned(database, id_, fresh_since=NOW + 1) == ("sha256:a", True)
    pin(database, id_, "sha256:a", now=NOW + 5)
    assert pinned(database, id_, fresh_since=NOW + 1) == ("sha256:a", True), "nobody asked the registry"
    pin(database, id_, "sha256:a", refreshed=True, now=NOW + 5)
    assert pinned(database, id_, fresh_since=NOW + 1) == ("sha256:a", False)


def test_the_newer_image_is_used_and_the_older_one_stays_pinned_for_what_still_runs(database: Database) -> None:
    (id_,) = many(database, 1)
    pin(database, id_, "sha256:a")
    pin(database, id_, "sha256:b", refreshed=True, now=NOW + WEEK)
    assert pinned(database, id_) == ("sha256:b", False)
    assert unused(database) == []
    database.run_here(lambda session: images.unpin(session, id_))
    assert unused(database) == ["sha256:a", "sha256:b"]


def test_an_image_that_was_there_before_is_not_ours_to_forget(database: Database) -> None:
    (id_,) = many(database, 1)
    put(database, id_, Image(id="sha256:a", reference="postgres:16"))
    database.run_here(lambda session: images.unpin(session, id_))
    assert unused(database) == []


def test_an_image_is_forgotten_when_its_last_user_goes(database: Database) -> None:
    first, second = many(database, 2)
    pin(database, first, "sha256:a")
    put(database, second, Image(id="sha256:a", reference="postgres:16"))
    database.run_here(lambda session: images.unpin(session, first))
    assert unused(database) == []
    database.run_here(lambda session: images.unpin(session, second))
    assert unused(database) == ["sha256:a"], "we pulled it, whoever used it last"


def test_a_crash_before_the_engine_forgot_it_loses_nothing(database: Database) -> None:
    (id_,) = many(database, 1)
    pin(database, id_, "sha256:a")
    database.run_here(lambda session: images.unpin(session, id_))
    assert claim(database, id_) == "sha256:a"
    assert claim(database, id_) == "sha256:a"
    forgotten(database, id_, "sha256:a")
    assert claim(database, id_) is None
    assert unused(database) == []


def test_long_references_that_begin_alike_are_two(database: Database) -> None:
    (id_,) = many(database, 1)
    host = "x" * 400
    put(database, id_, Image(id="sha256:a", reference=f"{host}:1"))
    put(database, id_, Image(id="sha256:b", reference=f"{host}:2"))
    assert pinned(database, id_, f"{host}:1") == ("sha256:a", False)
    assert pinned(database, id_, f"{host}:2") == ("sha256:b", False)


def test_what_is_being_removed_is_pinned_by_nobody_until_it_is_gone(database: Database) -> None:
    first, second = many(database, 2)
    pin(database, first, "sha256:a")
    database.run_here(lambda session: images.unpin(session, first))
    assert claim(database, first) == "sha256:a"
    assert claim(database, second) is None, "one removes it"
    database.run_here(lambda session: images.unpin(session, first))  # the removal began anew
    image = Image(id="sha256:a", reference="postgres:16")
    assert not put(database, second, image)
    assert pinned(database, second, "postgres:16") == (None, False)
    forgotten(database, first, "sha256:a")
    assert put(database, second, replace(image, pulled=True))
    database.run_here(lambda session: images.unpin(session, second))
    assert unused(database) == ["sha256:a"], "it was pulled again, and is ours again"


def test_what_is_pinned_is_removed_by_nobody(database: Database) -> None:
    first, second = many(database, 2)
    pin(database, first, "sha256:a")
    database.run_here(lambda session: images.unpin(session, first))
    assert put(database, second, Image(id="sha256:a", reference="postgres:16"))
    assert claim(database, first) is None


def test_of_pinning_and_removing_at_once_only_one_is_done(database: Database) -> None:
    first, second = many(database, 2)
    with ThreadPoolExecutor(2) as threads:
        for number in range(20):
            image = Image(id=f"sha256:{number}", reference=f"postgres:{number}", pulled=True)
            put(database, first, image)
            database.run_here(lambda session: images.unpin(session, first))
            held = threads.submit(put, database, second, replace(image, pulled=False))
            claimed = threads.submit(claim, database, first)
            assert held.result() is (claimed.result() is None)
            forgotten(database, first, image.id)


def test_a_name_whose_image_is_being_removed_is_pinned_by_nobody(database: Database) -> None:
    first, second = many(database, 2)
    database.run_here(lambda session: images.pulling(session, first, "postgres:16", now=NOW))
    for _ in range(2):  # also after a crash
        assert database.run_here(lambda session: images.cut_off(session, first)) == ["postgres:16"]
        assert not put(database, second, Image(id="sha256:a", reference="postgres:16"))
    database.run_here(lambda session: images.unpin(session, first))
    assert put(database, second, Image(id="sha256:a", reference="postgres:16"))


def test_an_image_whose_pulling_was_cut_off_is_ours(database: Database) -> None:
    (id_,) = many(database, 1)
    database.run_here(lambda session: images.pulling(session, id_, "postgres:16", now=NOW))
    assert pinned(database, id_, "postgres:16") == (None, False)
    put(database, id_, Image(id="sha256:a", reference="postgres:16"))
    assert database.run_here(lambda session: images.cut_off(session, id_)) == []
    database.run_here(lambda session: images.unpin(session, id_))
    assert unused(database) == ["sha256:a"], "nobody else can have pulled it"


def test_a_reference_that_another_environment_uses_is_left_alone(database: Database) -> None:
    first, second = many(database, 2)
    database.run_here(lambda session: images.pulling(session, first, "postgres:16", now=NOW))
    pin(database, second, "sha256:a")
    assert database.run_here(lambda session: images.cut_off(session, first)) == []


def test_what_could_not_be_pulled_and_somebody_else_brought_is_theirs(database: Database) -> None:
    (id_,) = many(database, 1)
    database.run_here(lambda session: images.pulling(session, id_, "corp/base:1", now=NOW))
    database.run_here(lambda session: images.not_pulled(session, id_, "corp/base:1"))
    put(database, id_, Image(id="sha256:a", reference="corp/base:1"))
    database.run_here(lambda session: images.unpin(session, id_))
    assert unused(database) == []
    assert database.run_here(lambda session: images.cut_off(session, id_)) == []
