"""The tables. Times are Unix seconds (float), so that every database keeps them alike."""

import re

from sqlalchemy import (
    BigInteger,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

LONG_TEXT: TypeEngine[str] = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
LONG_BYTES: TypeEngine[bytes] = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
COUNTER = BigInteger().with_variant(Integer(), "sqlite")

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""NUL, which PostgreSQL refuses, and half characters, which UTF-8 cannot hold."""


class Words(TypeDecorator[str]):
    """Text that comes from outside, as a container's output: stored whatever is in it."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """Use the longest text of each database."""
        return mysql.LONGTEXT() if dialect.name in {"mysql", "mariadb"} else super().load_dialect_impl(dialect)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 -- the base class's
        """Put a replacement character in the place of what no database takes."""
        return None if value is None else _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)


_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
_MYSQL = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(naming_convention=_NAMES)
    __table_args__: tuple[object, ...] | dict[str, str] = _MYSQL


class MetaRow(Base):
    """Single values: the instance's id, the last route version, the last subnet given out."""

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String(255))


class DeliveryRow(Base):
    """One webhook request. ``body`` is compressed (zlib); ``size`` is what it has without that, in bytes."""

    __tablename__ = "delivery"
    __table_args__ = (Index("ix_delivery_handled_at_received_at", "handled_at", "received_at"), _MYSQL)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    event: Mapped[str] = mapped_column(String(64))
    received_at: Mapped[float] = mapped_column(Double, index=True)
    size: Mapped[int]
    body: Mapped[bytes] = mapped_column(LONG_BYTES)
    handled_at: Mapped[float | None] = mapped_column(Double)
    outcome: Mapped[str] = mapped_column(Words, default="")


class RepositoryRow(Base):
    """A repository, known by GitHub's id. ``slug`` stays when it is renamed."""

    __tablename__ = "repository"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(160))
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    facts: Mapped[str] = mapped_column(LONG_TEXT)
    """JSON of RepositoryFacts."""
    removed_at: Mapped[float | None] = mapped_column(Double)
    """When it was deleted or its installation removed: all its environments go."""
    removed_reason: Mapped[str] = mapped_column(Words, default="")
    doubted_at: Mapped[float | None] = mapped_column(Double)
    """When a delivery last left open whether it is still there: the forge is to be asked. None: nothing is open."""
    doubt: Mapped[str | None] = mapped_column(Words)
    """Why it may be gone, for people."""
    heard_at: Mapped[float] = mapped_column(Double)
    """How old its name is: a late delivery that still has an older one does not bring that back."""


class EnvironmentRow(Base):
    """One pull request's environment: what is wanted, who works on it, where it is."""

    __tablename__ = "environment"
    __table_args__ = (
        UniqueConstraint("repository_id", "number"),
        Index("ix_environment_placed_repository_id", "placed", "repository_id"),
        _MYSQL,
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repository.id"))
    number: Mapped[int]
    facts: Mapped[str] = mapped_column(LONG_TEXT)
    """JSON of Known."""
    facts_at: Mapped[float] = mapped_column(Double)
    """When the fact arrived that changed last what is wanted."""
    visited_at: Mapped[float | None] = mapped_column(Double)
    """When somebody last visited it, as written down now and then: the router forgets it when it is started anew."""
    label: Mapped[str] = mapped_column(String(63), unique=True)
    incarnation: Mapped[int] = mapped_column(default=1)
    slot: Mapped[int | None] = mapped_column(unique=True)
    """Its subnet's place in the pool."""

    wanted: Mapped[bool]
    wanted_reason: Mapped[str] = mapped_column(Words, default="")
    """Why it is not wanted, for people."""
    wanted_commit: Mapped[str] = mapped_column(String(64), default="")
    """The commit it is to have: the head, or an approved one while the head waits."""
    trusted: Mapped[bool] = mapped_column(default=True)
    """Whether that commit runs as the repository's own code does."""
    waits: Mapped[bool] = mapped_column(default=False)
    """Whether the head waits for approval."""
    trust: Mapped[str | None] = mapped_column(LONG_TEXT)
    """JSON of Trust."""
    ask_at: Mapped[float | None] = mapped_column(Double, index=True)
    """When the forge is to be asked whether the author may write; None: it need not be."""
    inputs: Mapped[str] = mapped_column(String(64))
    """Hash of all facts that can change a release; another one asks for a new release."""
    destroyed: Mapped[str | None] = mapped_column(String(64))
    """The commit at which it was put away; another commit, or ``deploy``, brings it back."""
    destroyed_reason: Mapped[str] = mapped_column(Words, default="")
    """Why, for people."""
    nonce: Mapped[int] = mapped_column(default=0)
    """Counts ``deploy`` commands: each asks for a new release of the same commit."""
    revision: Mapped[int] = mapped_column(default=1)
    """Counts changes of what is wanted, and of what it waits for, so that a turn sees one that came meanwhile."""

    removing_since: Mapped[float | None] = mapped_column(Double)
    created_hook: Mapped[bool] = mapped_column(default=False)
    """Whether this incarnation's ``create`` hook succeeded."""
    placed: Mapped[bool] = mapped_column(default=False)
    """Whether anything of it may exist on the engine or in the router."""

    due_at: Mapped[float | None] = mapped_column(Double, index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    waiting_for: Mapped[str] = mapped_column(Words, default="")
    """Why nothing happens at the moment, for people."""
    crashes: Mapped[int | None]
    """How often something of the live release ended, one time soon after the other."""
    crashed_at: Mapped[float | None] = mapped_column(Double)
    """When it last did."""
    queued_at: Mapped[float | None] = mapped_column(Double)
    """Since when it waits for a place among the environments; None: it does not."""
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_token: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[float | None] = mapped_column(Double)
    version: Mapped[int] = mapped_column(default=1)
    """Counts changes that people may see: the reporter compares it with what it last reported."""


class ReleaseRow(Base):
    """One commit of an environment, on its way, live, or ended."""

    __tablename__ = "release"
    __table_args__ = (Index("ix_release_environment_id_phase", "environment_id", "phase"), _MYSQL)
    id: Mapped[int] = mapped_column(primary_key=True)
    environment_id: Mapped[int] = mapped_column(ForeignKey("environment.id"))
    incarnation: Mapped[int]
    commit: Mapped[str] = mapped_column(String(64))
    trusted: Mapped[bool] = mapped_column(default=True)
    inputs: Mapped[str] = mapped_column(String(64))
    nonce: Mapped[int] = mapped_column(default=0)
    phase: Mapped[str] = mapped_column(String(16))
    verdict: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Words, default="")
    log_tail: Mapped[str] = mapped_column(Words, default="")
    manifest: Mapped[str | None] = mapped_column(LONG_TEXT)
    """JSON of the Manifest."""
    stack: Mapped[str | None] = mapped_column(LONG_TEXT)
    """JSON of the ResolvedStack."""
    keys: Mapped[str] = mapped_column(LONG_TEXT, default="")
    """The stack's keys, with blanks between: what the tick compares with the engine's list."""
    endpoints: Mapped[str | None] = mapped_column(LONG_TEXT)
    """JSON of (service, Endpoint) pairs as they were routed to."""
    wanted_at: Mapped[float] = mapped_column(Double)
    """When the facts that asked for it arrived."""
    phase_since: Mapped[float] = mapped_column(Double)
    live_at: Mapped[float | None] = mapped_column(Double)
    ended_at: Mapped[float | None] = mapped_column(Double)


class RouteRow(Base):
    """One host. A ``gone`` row is kept for a while: its version tells late pushes apart."""

    __tablename__ = "route"
    hostname: Mapped[str] = mapped_column(String(253), primary_key=True)
    environment_id: Mapped[int] = mapped_column(ForeignKey("environment.id"), index=True)
    service: Mapped[str] = mapped_column(Words)
    state: Mapped[str] = mapped_column(String(16))
    host: Mapped[str | None] = mapped_column(String(64))
    port: Mapped[int | None]
    version: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[float] = mapped_column(Double)


class SubnetRow(Base):
    """A freed subnet that rests before it is given out again."""

    __tablename__ = "resting_subnet"
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    freed_at: Mapped[float] = mapped_column(Double)


class LogRow(Base):
    """A chunk of output of a release's stage (``build web``, ``hook create`` …)."""

    __tablename__ = "log"
    __table_args__ = (Index("ix_log_release_id_id", "release_id", "id"), _MYSQL)
    id: Mapped[int] = mapped_column(COUNTER, primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"))
    stage: Mapped[str] = mapped_column(Words)
    at: Mapped[float] = mapped_column(Double, index=True)
    data: Mapped[bytes] = mapped_column(LONG_BYTES)


class PinRow(Base):
    """An image that an environment uses for a reference; the newest of several is the one for the next release."""

    __tablename__ = "pinned_image"
    environment_id: Mapped[int] = mapped_column(ForeignKey("environment.id"), primary_key=True, autoincrement=False)
    reference: Mapped[str] = mapped_column(String(255), primary_key=True)
    image_id: Mapped[str] = mapped_column(String(128), primary_key=True, index=True)
    refreshed_at: Mapped[float] = mapped_column(Double)
    """When the registry was last asked for a newer one."""


class PulledRow(Base):
    """An image that we pulled: ours to forget when no environment uses it. One that was there before is not here."""

    __tablename__ = "pulled_image"
    image_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    pulled_at: Mapped[float] = mapped_column(Double)


class SecretRow(Base):
    """A secret of a repository. ``data`` is sealed (:mod:`revieee.store.vault`)."""

    __tablename__ = "secret"
    __table_args__ = (Index("ix_secret_repository_id_name", "repository_id", "name"), _MYSQL)
    id: Mapped[int] = mapped_column(primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repository.id"))
    name: Mapped[str] = mapped_column(String(128))
    data: Mapped[bytes] = mapped_column(LONG_BYTES)
    token: Mapped[str] = mapped_column(String(16))
    """Another one each time it is set: tells that a value changed, and nothing about it."""
    changed_at: Mapped[float] = mapped_column(Double)
    retired_at: Mapped[float | None] = mapped_column(Double, index=True)
    """When it was replaced or taken away."""


class ReportRow(Base):
    """What the forge has been told of an environment."""

    __tablename__ = "report"
    environment_id: Mapped[int] = mapped_column(ForeignKey("environment.id"), primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(default=0)
    """The environment's version that was last looked at."""
    digest: Mapped[str] = mapped_column(String(64), default="")
    """Of the view that was last told."""
    posted: Mapped[str] = mapped_column(LONG_TEXT, default="{}")
    """JSON of Posted."""
    due_at: Mapped[float] = mapped_column(Double, default=0.0)
    attempts: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str] = mapped_column(Words, default="")
    owner: Mapped[str] = mapped_column(String(64), default="")
    """Who tells it until ``due_at``; empty: nobody does."""
