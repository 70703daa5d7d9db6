"""Removals that only the forge can confirm."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from revieee.store.migrations.adding import column

revision = "0003"
down_revision = "0002"

LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    """Bring the tables to this version."""
    column("repository", sa.Column("doubted_at", sa.Double(), nullable=True))
    column("repository", sa.Column("doubt", LONG_TEXT, nullable=True))
