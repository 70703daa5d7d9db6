"""Wiring: which adapter stands behind which port, and the tasks of one control plane."""

import asyncio
import time
from dataclasses import dataclass
from importlib.metadata import entry_points

from starlette.applications import Starlette

from revieee.builders.buildkit import BuilderOptions, BuildKitBuilder
from revieee.builders.limits import BuildLimits
from revieee.clients.github import GitHub
from revieee.forges.github import GitHubForge, connect
from revieee.intake.approvals import Approvals
from revieee.intake.endpoint import webhook_route
from revieee.intake.inbox import Inbox
from revieee.intake.listing import Listing
from revieee.model.addresses import router_address
from revieee.model.policy import EngineOptions
from revieee.model.route import Endpoint
from revieee.model.stack import ServiceLimits
from revieee.ports import Clock, Engine, Forge
from revieee.reconcile.loop import Reconciler
from revieee.reconcile.owner import Place
from revieee.reconcile.parts import Bell, Parts
from revieee.reconcile.tell import Identity, Teller
from revieee.reporters.github import GitHubReporter
from revieee.routers.nginx.options import Inside, RouterOptions, Tls
from revieee.routers.nginx.router import NginxRouter
from revieee.settings import DAY, Settings, SettingsError
from revieee.sources.git import GitSource, SourceOptions
from revieee.store import secrets
from revieee.store.database import Database
from revieee.store.vault import Vault
from revieee.web import create_app, static_pages
from revieee.web.answers import Answers

ENGINES = "revieee.engines"
"""The group of entry points that engines come through."""
_MEBIBYTE = 2**20


class SystemClock:
    """The system's time."""

    def now(self) -> float:
        """Give the Unix time in seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """Everything wired up; nothing runs yet."""

    settings: Settings
    parts: Parts
    github: GitHub
    inbox: Inbox
    listing: Listing
    approvals: Approvals
    teller: Teller
    reconciler: Reconciler
    app: Starlette
    router: NginxRouter


def load_engine(settings: Settings, instance: str) -> Engine:
    """Make the engine that the settings name, through the entry points that anyone's engine uses.

    Raises:
        SettingsError: there is none of that name.
    """
    found = {one.name: one for one in entry_points(group=ENGINES)}
    if settings.engine not in found:
        raise SettingsError(
            f"REVIEEE_ENGINE: {settings.engine!r} is not installed. There are: {', '.join(sorted(found))}."
        )
    limits = ServiceLimits(
        memory=min(settings.default_memory, settings.memory) * _MEBIBYTE,
        cpus=min(settings.default_cpus, settings.cpus),
        pids=settings.pids,
    )
    options = EngineOptions(
        instance=instance,
        host=settings.docker_host if settings.engine == "docker" else str(settings.data.resolve() / settings.engine),
        limits=limits,
        log_size=settings.log_size * _MEBIBYTE,
        walls=settings.walls,
        resolvers=settings.resolvers,
        internet=settings.internet,
        stranger_internet=settings.stranger_internet,
        stranger_share=settings.stranger_share,
        allow_addresses=settings.allow_addresses,
        registries=settings.registries,
        router=router_inside(settings),
    )
    engine: Engine = found[settings.engine].load()(options)
    return engine


def router_inside(settings: Settings) -> Endpoint | None:
    """Give the one address at which containers reach the router, for their own public URLs.

    None where people's port is not nginx's (a load balancer
    stands in front): then the way leads over the internet, as everyone's.
    """
    if settings.public_url or settings.engine != "docker" or not settings.walls:
        return None
    return Endpoint(router_address(settings.network_pool, settings.policy().subnet_prefix), settings.listen_address[1])


def open_database(settings: Settings) -> Database:
    """Open the database that the settings name.

    Raises:
        Fault: it cannot be reached, or is newer than this code.
        SettingsError: the data folder cannot be made.
    """
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"REVIEEE_DATA: the folder {settings.data.absolute()} cannot be made: {error.strerror}. "
            "Make it for this user, or name another."
        ) from error
    database = Database(settings.database)
    database.open()
    return database


def open_vault(settings: Settings) -> Vault:
    """Make what seals and opens secrets; no key is read."""
    return Vault(settings.secret_keys, (settings.secret_key_file or settings.data / "secret.key").absolute())


def open_github(settings: Settings) -> GitHub:
    """Make the client that forge, reporter and source share.

    Raises:
        SettingsError: token or key are malformed, or the certificates to believe cannot be read.
    """
    try:
        return connect(
            token=settings.github_token.get_secret_value() or None,
            app_id=settings.github_app_id or None,
            private_key=settings.private_key or None,
            api_url=settings.github_api_url,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from error


def open_router(settings: Settings) -> NginxRouter:
    """Make the router; nothing is started.

    Raises:
        SettingsError: a value cannot stand in nginx's configuration.
    """
    inside, prefix = router_inside(settings), settings.policy().subnet_prefix
    tls = None
    if settings.tls_certificate and settings.tls_key:
        tls = Tls(certificate=settings.tls_certificate.absolute(), key=settings.tls_key.absolute())
    try:
        options = RouterOptions(
            data=settings.data.resolve(),
            domain=settings.domain,
            listen=settings.listen_address,
            inside=Inside(host=inside.host, port=inside.port, subnet_prefix=prefix) if inside else None,
            tls=tls,
            trusted_proxies=settings.trusted_proxies,
            pages=static_pages(settings.domain),
            hold_seconds=settings.hold_limit,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return NginxRouter(options)


def open_source(settings: Settings, forge: Forge) -> GitSource:
    """Make the source of commits."""
    return GitSource(
        SourceOptions(
            folder=settings.data.resolve() / "git",
            url=settings.github_url,
            size_limit=settings.repository_size * _MEBIBYTE,
            credentials=forge.clone_credentials,
            submodules=settings.submodules,
        )
    )


def open_builder(settings: Settings, instance: str) -> BuildKitBuilder:
    """Make the builder."""
    return BuildKitBuilder(
        BuilderOptions(
            instance=instance,
            host=settings.docker_host,
            concurrency=settings.builds,
            slots=settings.data.resolve() / "builds",
            limits=BuildLimits(memory=settings.build_memory * _MEBIBYTE, cpus=settings.build_cpus),
            time_limit=settings.build_timeout,
            log_limit=settings.build_log * _MEBIBYTE,
            cache_limit=settings.build_cache * 1024 * _MEBIBYTE,
            cache_age=settings.build_cache_age * DAY,
            registries=settings.registries,
        )
    )


def open_web(settings: Settings, database: Database, inbox: Inbox, clock: Clock) -> Starlette:
    """Make the web app: deliveries in, pages and answers out.

    Raises:
        SettingsError: the webhook's secret is missing.
    """
    try:
        webhook = webhook_route(inbox.store, settings.secrets, clock.now)
    except ValueError as error:
        raise SettingsError(f"REVIEEE_WEBHOOK_SECRET: {error}") from error
    answers = Answers(database, instance=database.instance(), base_url=settings.base_url)
    return create_app(answers, domain=settings.domain, forge_url=settings.github_url, routes=[webhook])


def wire(settings: Settings, database: Database, place: Place | None = None) -> ControlPlane:
    """Put everything together.

    Args:
        settings: of this installation.
        database: opened.
        place: from which it serves; None for a command, which works on no environment.

    Raises:
        SettingsError: settings that cannot work.
        Fault: there are secrets, and no key that can be used.
    """
    github = open_github(settings)
    forge = GitHubForge(github)
    router = open_router(settings)
    parts = _parts(settings, database, (forge, router), place)
    clock, bell, policy = parts.clock, parts.bell, parts.policy
    inbox = Inbox(database, policy.admission, clock, bell)
    served = policy.admission.repositories
    identity = Identity(
        instance=parts.instance,
        base_url=policy.base_url,
        pace=policy.pace,
        owner=parts.owner,
        is_dead=parts.is_dead,
        repositories=served,
    )
    return ControlPlane(
        settings=settings,
        parts=parts,
        github=github,
        inbox=inbox,
        listing=Listing(database, forge, inbox, clock, bell),
        approvals=Approvals(database, forge, inbox, clock, bell),
        teller=Teller(database, GitHubReporter(github), clock, bell, identity),
        reconciler=Reconciler(parts),
        app=open_web(settings, database, inbox, clock),
        router=router,
    )


def _parts(settings: Settings, database: Database, ports: tuple[Forge, NginxRouter], place: Place | None) -> Parts:
    """Make what the reconciler works with."""
    instance, vault, (forge, router) = database.instance(), open_vault(settings), ports
    if database.read_here(secrets.any_):
        vault.check()
    return Parts(
        instance=instance,
        owner=place.owner if place else "command",
        database=database,
        source=open_source(settings, forge),
        builder=open_builder(settings, instance),
        engine=load_engine(settings, instance),
        router=router,
        clock=SystemClock(),
        policy=settings.policy(),
        data=settings.data.resolve(),
        bell=Bell(),
        image_secret=database.image_secret(),
        vault=vault,
        is_dead=place.is_dead if place else lambda _: False,
    )
