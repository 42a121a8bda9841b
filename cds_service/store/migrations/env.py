"""Alembic's entry point: runs the steps inside the transaction that the store opened."""

from alembic import context

from cds_service.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True, transaction_per_migration=False
)
with context.begin_transaction():
    context.run_migrations()
