"""The life of a release: one table."""

from pathlib import Path

import pytest

from revieee.model.phases import ON_ITS_WAY, SUPERSEDABLE, TABLE, Outcome, Phase, advance, diagram

ARCHITECTURE = Path(__file__).parents[2] / "docs" / "architecture.md"


def reachable(start: Phase) -> set[Phase]:
    found, ahead = {start}, [start]
    while ahead:
        phase = ahead.pop()
        then = {row.then for row in TABLE if row.phase is phase} - found
        found |= then
        ahead += then
    return found


def test_every_phase_is_reached_and_every_phase_ends() -> None:
    assert reachable(Phase.FETCHING) == set(Phase)
    for phase in Phase:
        assert Phase.ENDED in reachable(phase)


def test_one_outcome_leads_to_one_phase() -> None:
    assert len({(row.phase, row.outcome) for row in TABLE}) == len(TABLE)


def test_nothing_follows_the_end_and_nothing_stays_where_it_is() -> None:
    assert all(row.phase is not Phase.ENDED for row in TABLE)
    assert all(row.phase is not row.then for row in TABLE)


def test_a_release_goes_live_by_doing_each_step_once() -> None:
    way, phase = [Phase.FETCHING], Phase.FETCHING
    while phase is not Phase.LIVE:
        phase = advance(phase, Outcome.DONE)
        way.append(phase)
    assert set(way[:-1]) == ON_ITS_WAY
    assert len(way) == len(set(way))


def test_whatever_can_go_wrong_before_live_is_undone_or_has_nothing_to_undo() -> None:
    for phase in ON_ITS_WAY - {Phase.SWITCHING}:
        for outcome in (Outcome.FAILED, Outcome.SUPERSEDED):
            assert advance(phase, outcome) is (Phase.ENDED if phase is Phase.FETCHING else Phase.UNDOING)


def test_a_switch_once_begun_is_finished() -> None:
    assert Phase.SWITCHING not in SUPERSEDABLE
    assert ON_ITS_WAY - {Phase.SWITCHING} == SUPERSEDABLE
    with pytest.raises(KeyError):
        advance(Phase.SWITCHING, Outcome.SUPERSEDED)


def test_every_row_says_why() -> None:
    assert all(row.words for row in TABLE)


def test_the_documents_diagram_is_the_table() -> None:
    text = ARCHITECTURE.read_text()
    shown = text.partition("<!-- phases -->")[2].partition("<!-- /phases -->")[0].strip()
    assert shown == f"```mermaid\n{diagram()}\n```", (
        "put what `python -c 'from revieee.model.phases import diagram; print(diagram())'` prints between the marks"
    )
