"""Alembic's environment, for the `alembic` command on a developer's machine: `history`, `revision`, SQL to read.

A release never comes through here: `python -m migrations` takes the locks, keeps the history and knows the rule.
So this one never touches a database.
"""

from __future__ import annotations

from alembic import context

if not context.is_offline_mode():
    raise SystemExit(
        "alembic: this environment writes SQL only (--sql); `python -m migrations expand` or `contract` runs it"
    )
context.configure(dialect_name="postgresql", transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
