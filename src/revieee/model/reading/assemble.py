"""Services and wishes together: the stack."""

from collections.abc import Sequence
from dataclasses import replace

from revieee.model.reading.compose import Compose
from revieee.model.reading.compose.ports import choose_exposures
from revieee.model.reading.files import Reading
from revieee.model.reading.findings import Place, quote
from revieee.model.reading.revieee_yml import Overlay, Wishes
from revieee.model.stack import Exposure, Hook, Hooks, Service, ServiceLimits, Stack

_NO_URL = (
    "No service gets a URL, for none publishes a port. Add `ports` to it in the compose file, "
    "or name it with `expose: web` in revieee.yml."
)


def assemble(reading: Reading, compose: Compose, wishes: Wishes, *, commit_in_hash: bool = False) -> Stack:
    """Lay what ``revieee.yml`` says over the services.

    Args:
        reading: takes what is found.
        compose: the services.
        wishes: what ``revieee.yml`` says; all defaults where there is none.
        commit_in_hash: for a stack in the form of 2017.
    """
    names = tuple(service.name for service in compose.services)
    exposures = _exposures(reading, compose, wishes, names)
    for name, (_, at) in wishes.services.items():
        _there(reading, at, name, names, "`services`")
    exposed = frozenset(exposure.service for exposure in exposures)
    services = tuple(_overlaid(service, wishes, exposed) for service in compose.services)
    timeout = wishes.start_timeout
    default = min(Stack(services=()).start_timeout, reading.limits.start_timeout)
    return Stack(
        services=services,
        exposures=exposures,
        volumes=compose.volumes,
        hooks=_hooks(reading, wishes, names, exposures),
        start_timeout=default if timeout is None else timeout,
        commit_in_hash=commit_in_hash,
    )


def _there(reading: Reading, at: Place, name: str, names: Sequence[str], what: str) -> bool:
    if name in names:
        return True
    shown = ", ".join(map(quote, names[:10]))
    reading.fault(at, f"{what}: there is no service {quote(name)}.{reading.nearest(name, names)} There are {shown}.")
    return False


def _exposures(reading: Reading, compose: Compose, wishes: Wishes, names: Sequence[str]) -> tuple[Exposure, ...]:
    if wishes.expose is None:
        found = choose_exposures(reading, compose.listening)
        if not found and not reading.findings.failed:
            reading.fault(compose.at, _NO_URL)
        return _main_first(found, compose.services)
    listening = {one.service: (*one.published, *one.exposed) for one in compose.listening}
    chosen: list[Exposure] = []
    for exposure, at in wishes.expose:
        if _there(reading, at, exposure.service, names, "`expose`"):
            ports = listening.get(exposure.service, ())
            chosen.append(replace(exposure, port=exposure.port or (ports[0] if ports else None)))
    if not wishes.expose:
        reading.fault(wishes.at, "`expose` is empty. Name a service, or remove the key.")
    return tuple(chosen)


def _main_first(exposures: tuple[Exposure, ...], services: Sequence[Service]) -> tuple[Exposure, ...]:
    """Put the main service first: the first that no other one with a URL waits for, like a proxy or a front end."""
    needs = {service.name: {one.service for one in service.depends_on} for service in services}
    needed: set[str] = set()
    for exposure in exposures:
        pending = set(needs[exposure.service])
        while pending:
            name = pending.pop()
            if name not in needed:
                needed.add(name)
                pending |= needs.get(name, set())
    return tuple(sorted(exposures, key=lambda exposure: exposure.service in needed))


def _overlaid(service: Service, wishes: Wishes, exposed: frozenset[str]) -> Service:
    own = wishes.services[service.name][0] if service.name in wishes.services else Overlay()
    environment = dict(service.environment) | dict(wishes.overlay.env) | dict(own.env)
    probe = own.probe or wishes.overlay.probe or service.probe if service.name in exposed else service.probe
    return replace(
        service,
        environment=tuple(environment.items()),
        probe=probe,
        limits=_limits(service.limits, wishes.overlay.limits, own.limits),
    )


def _limits(*layers: ServiceLimits | None) -> ServiceLimits:
    """Give each limit of the last layer that has it."""
    found = ServiceLimits()
    for layer in layers:
        if layer is not None:
            found = ServiceLimits(
                memory=layer.memory or found.memory,
                cpus=layer.cpus or found.cpus,
                pids=layer.pids or found.pids,
            )
    return found


def _hooks(reading: Reading, wishes: Wishes, names: Sequence[str], exposures: tuple[Exposure, ...]) -> Hooks:
    main = exposures[0].service if exposures else None
    found: dict[str, Hook] = {}
    for name, hook in wishes.hooks.items():
        service = hook.service or main
        if service is not None and _there(reading, hook.at, service, names, f"Hook `{name}`"):
            found[name] = Hook(service=service, command=hook.command, timeout=hook.timeout)
    return Hooks(create=found.get("create"), deploy=found.get("deploy"), destroy=found.get("destroy"))
