"""Adding to tables that are there."""

import sqlalchemy as sa
from alembic import op


def column(of: str, one: sa.Column[object]) -> None:
    """Add a column unless it is there: MySQL keeps what an interrupted upgrade added.

    It may be null: a control plane of the version before, which may write beside us, knows nothing of it.
    """
    if one.name not in {known["name"] for known in sa.inspect(op.get_bind()).get_columns(of)}:
        op.add_column(of, one)
