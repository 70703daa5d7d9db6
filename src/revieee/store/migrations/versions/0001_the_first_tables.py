"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
LONG_BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MYSQL = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Bring the tables to this version.

    On MySQL a statement that makes a table cannot be taken back, so what an interrupted upgrade made is kept.
    """
    table(
        "meta",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
    table(
        "delivery",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("received_at", sa.Double(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("body", LONG_BYTES, nullable=False),
        sa.Column("handled_at", sa.Double(), nullable=True),
        sa.Column("outcome", LONG_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
    )
    index("delivery", "received_at")
    index("delivery", "handled_at", "received_at")
    table(
        "repository",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(160), nullable=False),
        sa.Column("slug", sa.String(63), nullable=False),
        sa.Column("facts", LONG_TEXT, nullable=False),
        sa.Column("removed_at", sa.Double(), nullable=True),
        sa.Column("removed_reason", LONG_TEXT, nullable=False),
        sa.Column("heard_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_repository"),
        sa.UniqueConstraint("slug", name="uq_repository_slug"),
    )
    table(
        "environment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("facts", LONG_TEXT, nullable=False),
        sa.Column("facts_at", sa.Double(), nullable=False),
        sa.Column("label", sa.String(63), nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("wanted_reason", LONG_TEXT, nullable=False),
        sa.Column("wanted_commit", sa.String(64), nullable=False),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        sa.Column("waits", sa.Boolean(), nullable=False),
        sa.Column("trust", LONG_TEXT, nullable=True),
        sa.Column("ask_at", sa.Double(), nullable=True),
        sa.Column("inputs", sa.String(64), nullable=False),
        sa.Column("destroyed", sa.String(64), nullable=True),
        sa.Column("destroyed_reason", LONG_TEXT, nullable=False),
        sa.Column("nonce", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("removing_since", sa.Double(), nullable=True),
        sa.Column("created_hook", sa.Boolean(), nullable=False),
        sa.Column("placed", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("waiting_for", LONG_TEXT, nullable=False),
        sa.Column("lease_owner", sa.String(64), nullable=True),
        sa.Column("lease_token", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_environment_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_environment"),
        sa.UniqueConstraint("label", name="uq_environment_label"),
        sa.UniqueConstraint("repository_id", "number", name="uq_environment_repository_id_number"),
        sa.UniqueConstraint("slot", name="uq_environment_slot"),
    )
    index("environment", "due_at")
    index("environment", "ask_at")
    index("environment", "placed", "repository_id")
    table(
        "release",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("environment_id", sa.Integer(), nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        sa.Column("inputs", sa.String(64), nullable=False),
        sa.Column("nonce", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=True),
        sa.Column("reason", LONG_TEXT, nullable=False),
        sa.Column("log_tail", LONG_TEXT, nullable=False),
        sa.Column("manifest", LONG_TEXT, nullable=True),
        sa.Column("stack", LONG_TEXT, nullable=True),
        sa.Column("keys", LONG_TEXT, nullable=False),
        sa.Column("endpoints", LONG_TEXT, nullable=True),
        sa.Column("wanted_at", sa.Double(), nullable=False),
        sa.Column("phase_since", sa.Double(), nullable=False),
        sa.Column("live_at", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["environment_id"], ["environment.id"], name="fk_release_environment_id"),
        sa.PrimaryKeyConstraint("id", name="pk_release"),
    )
    index("release", "environment_id", "phase")
    table(
        "route",
        sa.Column("hostname", sa.String(253), nullable=False),
        sa.Column("environment_id", sa.Integer(), nullable=False),
        sa.Column("service", LONG_TEXT, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("host", sa.String(64), nullable=True),
        sa.Column("port", sa.Integer(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environment.id"], name="fk_route_environment_id"),
        sa.PrimaryKeyConstraint("hostname", name="pk_route"),
    )
    index("route", "environment_id")
    table(
        "resting_subnet",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("freed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("slot", name="pk_resting_subnet"),
    )
    table(
        "log",
        sa.Column("id", COUNTER, nullable=False),
        sa.Column("release_id", sa.Integer(), nullable=False),
        sa.Column("stage", LONG_TEXT, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("data", LONG_BYTES, nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name="fk_log_release_id"),
        sa.PrimaryKeyConstraint("id", name="pk_log"),
    )
    index("log", "at")
    index("log", "release_id", "id")
    table(
        "pinned_image",
        sa.Column("environment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.String(255), nullable=False),
        sa.Column("image_id", sa.String(128), nullable=False),
        sa.Column("refreshed_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environment.id"], name="fk_pinned_image_environment_id"),
        sa.PrimaryKeyConstraint("environment_id", "reference", "image_id", name="pk_pinned_image"),
    )
    index("pinned_image", "image_id")
    table(
        "pulled_image",
        sa.Column("image_id", sa.String(128), nullable=False),
        sa.Column("pulled_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("image_id", name="pk_pulled_image"),
    )
    table(
        "secret",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("data", LONG_BYTES, nullable=False),
        sa.Column("token", sa.String(16), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("retired_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_secret_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_secret"),
    )
    index("secret", "retired_at")
    index("secret", "repository_id", "name")
    table(
        "report",
        sa.Column("environment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("posted", LONG_TEXT, nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("problem", LONG_TEXT, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environment.id"], name="fk_report_environment_id"),
        sa.PrimaryKeyConstraint("environment_id", name="pk_report"),
    )


def table(name: str, *parts: sa.Column[object] | sa.Constraint) -> None:
    """Make a table unless it is there."""
    op.create_table(name, *parts, if_not_exists=True, **MYSQL)


def index(of: str, *columns: str) -> None:
    """Make an index unless it is there."""
    name = f"ix_{of}_{'_'.join(columns)}"
    if name not in {one["name"] for one in sa.inspect(op.get_bind()).get_indexes(of)}:
        op.create_index(name, of, columns)
