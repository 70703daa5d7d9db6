"""From an environment to its view: the words for each state, in one place."""

from dataclasses import dataclass

from revieee.model.environment import Environment, Release
from revieee.model.phases import Phase, Verdict
from revieee.model.trust import Trust
from revieee.model.view import ServiceView, State, View

_ON_ITS_WAY = {
    Phase.FETCHING: (State.BUILDING, "fetching the commit"),
    Phase.BUILDING: (State.BUILDING, "building"),
    Phase.REPLACING: (State.STARTING, "replacing services that keep a volume"),
    Phase.PREPARING: (State.STARTING, "running hooks"),
    Phase.STARTING: (State.STARTING, "starting"),
    Phase.SWITCHING: (State.STARTING, "moving the routes"),
}


@dataclass(frozen=True, slots=True)
class _Told:
    """State, headline, reason, and what the reader can do about it."""

    state: State
    headline: str
    reason: str = ""
    next_act: str = ""


_NOT_THERE = frozenset({State.GONE, State.NONE, State.REMOVING})
"""States in which no service is named and no address given."""


def view_of(environment: Environment, *, instance: str, base_url: str) -> View:
    """Say how an environment is.

    Args:
        environment: as it was read.
        instance: the installation's id.
        base_url: scheme, domain and public port of the router.
    """
    told = _told(environment)
    behind = environment.wanted and environment.waits
    there = told.state not in _NOT_THERE
    newest, live = _newest(environment), environment.live
    shown = (live or newest) if there else None
    urls = _urls(shown, base_url) if shown else {}
    trouble = told.reason if told.state is State.LIVE else ""
    failed = _failure(environment) if there else None
    about = newest if newest and newest.manifest else shown
    return View(
        environment=str(environment.name),
        instance=instance,
        state=told.state,
        headline=told.headline,
        reason=told.reason,
        next_act=APPROVE if behind else told.next_act,
        answer=_answer(environment.trust),
        url=next(iter(urls.values()), None),
        services=_services(shown, urls, live=shown is live, trouble=trouble) if shown else (),
        commit=environment.commit,
        waiting_commit=environment.facts.head_commit if behind else None,
        waiting_for=environment.wanted_reason if behind else "",
        live_commit=live.commit if live and there else None,
        live=live is not None and there,
        duration=_duration(newest) if newest and there else None,
        notices=tuple(str(one) for one in about.manifest.notices) if about and about.manifest and there else (),
        log=failed.log_tail if failed else "",
    )


APPROVE = "Someone with write access lets exactly this commit run by the comment `/revieee approve`."


def _told(environment: Environment) -> _Told:
    """Give the first of these that has something to say."""
    for tells in (_removal, _unwanted, _failed, _on_its_way, _live):
        told = tells(environment)
        if told is not None:
            return told
    newest = _newest(environment)
    if newest and newest.verdict is Verdict.SUPERSEDED and newest.inputs == environment.inputs:
        return _Told(State.WAITING, "Waiting: the commit is gone, a newer one is on its way.", environment.waiting_for)
    return _Told(State.WAITING, "Waiting to begin.", environment.waiting_for)


def _removal(environment: Environment) -> _Told | None:
    if not environment.removing and (environment.wanted or not environment.placed):
        return None
    reason = environment.wanted_reason
    if environment.wanted:
        newest = environment.newest
        reason = newest.reason if environment.excluded and newest else "A new one begins as soon as it is gone."
    reason = f"{reason} {environment.waiting_for}".strip()
    return _Told(State.REMOVING, "The environment is being removed.", reason)


def _unwanted(environment: Environment) -> _Told | None:
    newest = environment.newest
    excluded = environment.excluded and newest
    if environment.wanted and not excluded:
        return None
    # A removal leaves behind how the ``destroy`` hook failed.
    reason = newest.reason if environment.wanted and newest else environment.wanted_reason
    reason = f"{reason} {environment.waiting_for}".strip()
    if environment.waits and not environment.wanted and not environment.repository_removed:
        return _Told(State.NONE, "This pull request waits for approval.", reason, APPROVE)
    if environment.wanted or (environment.facts.open and not environment.repository_removed):
        return _Told(State.NONE, "No environment for this pull request.", reason)
    return _Told(State.GONE, "The environment is gone: observed absent.", reason)


def _failed(environment: Environment) -> _Told | None:
    failed, live = _failure(environment), environment.live
    if failed is None:
        return None
    headline = f"This commit failed; {live.commit[:7]} stays live." if live else "This commit failed."
    reason = failed.reason if live else f"{failed.reason}\n{environment.waiting_for}".strip()
    again = f"Whoever runs Revieee can try this one again: `revieee deploy {environment.name}`."
    mend = f"Push a commit that mends it. {again}"
    return _Told(State.FAILED, headline, reason, mend)


def _on_its_way(environment: Environment) -> _Told | None:
    following = environment.next
    if following is None or following.phase not in _ON_ITS_WAY or following.inputs != environment.inputs:
        return None
    state, words = _ON_ITS_WAY[following.phase]
    if environment.live:
        return _Told(State.UPDATING, f"Live; an update is on its way: {words}.", environment.waiting_for)
    return _Told(state, f"On its way: {words}.", environment.waiting_for)


def _live(environment: Environment) -> _Told | None:
    live = environment.live
    if live is None:
        return None
    if live.inputs != environment.inputs:
        return _Told(State.UPDATING, "Live; an update is on its way.", environment.waiting_for)
    if environment.waiting_for:
        return _Told(State.LIVE, "Live, but something of it is wrong.", environment.waiting_for)
    return _Told(State.LIVE, "Live.")


def _answer(trust: Trust) -> str:
    """Say what became of the last command; one that was obeyed is seen by its approval."""
    if trust.answer or not trust.vouched or trust.approval is None or trust.approval.trusted:
        return trust.answer
    return f"Approved by {trust.approval.by}."


def _newest(environment: Environment) -> Release | None:
    """Give the newest release of this incarnation."""
    newest = environment.newest
    return newest if newest and newest.incarnation == environment.incarnation else None


def _failure(environment: Environment) -> Release | None:
    """Give the release of what is wanted now, if it failed."""
    newest = _newest(environment)
    if newest and newest.verdict is Verdict.FAILED and newest.inputs == environment.inputs:
        return newest
    return None


def _services(shown: Release, urls: dict[str, str], *, live: bool, trouble: str) -> tuple[ServiceView, ...]:
    """List them, those with an address first; of what is live, ``trouble`` names those that are not well."""
    if shown.manifest is None:
        return ()
    words = "on its way"
    if live or shown.verdict is Verdict.FAILED:
        words = "live" if live else "failed"
    names = [*urls, *(service.name for service in shown.manifest.stack.services if service.name not in urls)]
    troubled = {name for name in names if live and f"Service {name} " in trouble}
    return tuple(
        ServiceView(name=name, url=urls.get(name), words="in trouble" if name in troubled else words) for name in names
    )


def _urls(release: Release, base_url: str) -> dict[str, str]:
    """Give the URL of every exposed service, the main one first."""
    scheme, _, rest = base_url.partition("://")
    hosts = release.manifest.hostnames if release.manifest else ()
    return {service: f"{scheme}://{label}.{rest}" for service, label in hosts}


def _duration(newest: Release) -> float | None:
    """Give the seconds from the wish to its end, good or bad."""
    if newest.live_at is not None:
        return newest.live_at - newest.wanted_at
    if newest.verdict is Verdict.FAILED and newest.ended_at is not None:
        return newest.ended_at - newest.wanted_at
    return None
