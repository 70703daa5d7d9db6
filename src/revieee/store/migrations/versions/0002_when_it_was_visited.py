"""When an environment was visited."""

import sqlalchemy as sa

from revieee.store.migrations.adding import column

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Bring the tables to this version."""
    column("environment", sa.Column("visited_at", sa.Double(), nullable=True))
