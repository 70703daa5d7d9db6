"""A little fuzzing of everything that reads what strangers write; `bench/fuzz.py` does much of it."""

import pytest

from support.fuzzing import fuzz, targets

SOME = 150
MEMORY = 150
"""MB that all of them may add to what the process ever had."""


@pytest.mark.parametrize("target", targets())
def test_whatever_is_written_ends_in_an_answer(target: str) -> None:
    found = fuzz(target, SOME, seed=1)
    assert found.faults == []
    assert found.tried == SOME
    assert found.grown < MEMORY


def test_a_reader_that_falls_over_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.fuzzing.printable", lambda text: text)
    assert fuzz("output", SOME, seed=1).faults
