"""How often what is live crashed, and since when a pull request waits for a place."""

import sqlalchemy as sa

from revieee.store.migrations.adding import column

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Bring the tables to this version."""
    column("environment", sa.Column("crashes", sa.Integer(), nullable=True))
    column("environment", sa.Column("crashed_at", sa.Double(), nullable=True))
    column("environment", sa.Column("queued_at", sa.Double(), nullable=True))
