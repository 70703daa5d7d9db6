"""How Alembic runs: on the connection that :class:`revieee.store.database.Database` hands over."""

from alembic import context

from revieee.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
