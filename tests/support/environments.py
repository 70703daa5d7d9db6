"""Environments as the store would give them: any that can come about, and Hypothesis strategies that draw them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import strategies as st

from revieee.model.environment import Environment, Release
from revieee.model.manifest import Manifest, Notice
from revieee.model.names import EnvironmentName
from revieee.model.phases import ON_ITS_WAY, Phase, Verdict
from support.storing import NOW, commit, facts, manifest, stack

VERDICTS: Mapping[Phase, Sequence[Verdict | None]] = {
    Phase.ENDED: [one for one in Verdict if one is not Verdict.REMOVED],
    Phase.UNDOING: [Verdict.FAILED, Verdict.SUPERSEDED],
    Phase.DRAINING: [Verdict.REPLACED],
}
"""How a release may have come out, by its phase; in the others it is not told yet."""


def environment(*releases: Release, **changes: object) -> Environment:
    """One that is wanted at commit 1, with these releases."""
    plain = Environment(
        id=1,
        name=EnvironmentName("acme/shop", 1),
        facts=facts(1),
        repository_slug="shop",
        label="shop-pr-1",
        incarnation=1,
        slot=1,
        wanted=True,
        wanted_reason="",
        wanted_at=NOW,
        commit=commit(1),
        inputs="1",
        nonce=0,
        revision=1,
        version=1,
        removing=False,
        created_hook=False,
        placed=bool(releases),
        attempts=0,
        waiting_for="",
        releases=releases,
    )
    return replace(plain, **changes)  # type: ignore[arg-type] # each test names fields of its own


def release(phase: Phase, verdict: Verdict | None = None, *, head: int = 1, **changes: object) -> Release:
    """One of commit ``head``, as wanted by inputs of the same number."""
    plain = Release(
        id=head,
        incarnation=1,
        commit=commit(head),
        inputs=str(head),
        phase=phase,
        verdict=verdict,
        manifest=None if phase is Phase.FETCHING else noticed(),
        stack=stack() if phase in {Phase.LIVE, Phase.DRAINING, Phase.UNDOING} else None,
        wanted_at=NOW,
        phase_since=NOW + 5,
        live_at=NOW + 5 if phase in {Phase.LIVE, Phase.DRAINING} else None,
        ended_at=NOW + 7 if phase is Phase.ENDED else None,
    )
    return replace(plain, **changes)  # type: ignore[arg-type] # each test names fields of its own


def noticed() -> Manifest:
    """A manifest of which something was left out."""
    return replace(manifest(), notices=(Notice(file="compose.yaml", line=3, words="privileged is left out"),))


@st.composite
def environments(draw: st.DrawFn) -> Environment:
    """Any environment that can come about: at most one release on its way or being undone, at most one live."""
    releases: list[Release] = [draw(_in(Phase.DRAINING)) for _ in range(draw(st.integers(0, 2)))]
    if draw(st.booleans()):
        releases.append(draw(_in(Phase.LIVE)))
    last = draw(st.sampled_from([None, Phase.ENDED, Phase.UNDOING, *sorted(ON_ITS_WAY)]))
    if last is not None:
        releases.append(draw(_in(last)))
    numbered = tuple(replace(one, id=number) for number, one in enumerate(releases, 1))
    wanted = draw(st.booleans())
    opened = wanted or draw(st.booleans())
    going = any(one.phase is not Phase.ENDED for one in numbered)
    return environment(
        *numbered,
        facts=facts(1, open=opened),
        incarnation=1 if going else draw(st.integers(1, 2)),
        wanted=wanted,
        wanted_reason="" if wanted else "Why not.",
        placed=going or draw(st.booleans()),
        removing=draw(st.booleans()),
        repository_removed=not wanted and draw(st.booleans()),
        waiting_for=draw(st.sampled_from(["", "For something."])),
        attempts=draw(st.integers(0, 3)),
        inputs="1",
    )


def _in(phase: Phase) -> st.SearchStrategy[Release]:
    return st.builds(
        lambda verdict, head: release(phase, verdict, head=head, reason="It failed." if verdict else ""),
        st.sampled_from(VERDICTS.get(phase, [None])),
        st.integers(1, 3),
    )
