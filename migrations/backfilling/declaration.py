"""What a backfill is: a table, the key by which it is walked, what is set, and which rows are still to be done.

revision = "b0001"
down_revision = None
needs = "e0002"                        # the expand revision that made the columns
table = "orders"
key = "id"                             # NOT NULL, with a unique index of its own; of any type that has an order
assign = "amount_cents = price_cents"  # what follows SET
todo = "amount_cents IS NULL"          # false for a row that was filled: that is how the end is known
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from psycopg import sql

from migrations.backfilling import wellformed
from migrations.database import Connection
from migrations.errors import BadTreeError
from migrations.revision_file import Revision


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One backfill, as its file declares it."""

    revision: Revision
    table: str
    key: str
    assign: str
    todo: str

    @classmethod
    def of(cls, revision: Revision) -> Self:
        """From the constants of the file, which are complete, or the tree was refused when it was read."""
        return cls(revision=revision, **{name: str(revision.settings[name]) for name in wellformed.TEXTS})

    @property
    def name(self) -> str:
        """The revision's name."""
        return self.revision.revision

    @property
    def table_sql(self) -> sql.Composable:
        """The table, quoted; with its schema where one is given."""
        return sql.Identifier(*self.table.split("."))

    @property
    def regclass(self) -> str:
        """The table as `to_regclass` reads it."""
        return self.table_sql.as_string()

    @property
    def key_sql(self) -> sql.Composable:
        """The key's column, with its table: both statements of a batch join it with another one."""
        return sql.Identifier(*self.table.split("."), self.key)

    @property
    def todo_sql(self) -> sql.Composable:
        """The condition, in brackets. Text of a revision, as trusted as any other statement of it."""
        return sql.SQL("({})").format(sql.SQL(self.todo))

    @property
    def assign_sql(self) -> sql.Composable:
        """What follows SET."""
        return sql.SQL(self.assign)


_KEY = """
SELECT format_type(held.atttypid, held.atttypmod), held.attnotnull, EXISTS (
    SELECT FROM pg_index AS own
    WHERE own.indrelid = held.attrelid AND own.indisunique AND own.indisvalid AND own.indpred IS NULL
      AND own.indnkeyatts = 1 AND own.indkey[0] = held.attnum)
FROM pg_attribute AS held
WHERE held.attrelid = to_regclass(%s) AND held.attname = %s AND held.attnum > 0 AND NOT held.attisdropped
"""


def key_type(connection: Connection, declared: Declaration) -> str:
    """The key's type in SQL. Raises BadTreeError where the column can't be walked."""
    where = f"migrations: {wellformed.place(declared.revision)}"
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (declared.regclass,)).fetchone()
    if row is None or not row[0]:
        raise BadTreeError(
            f"{where} has table {declared.table!r}, which is not in this database; expected a table that "
            f"{declared.revision.depends_on[0]} or an expand before it made; mend `table` or `needs`"
        )
    what = f"{where} has key {declared.key!r}, and {declared.table}.{declared.key}"
    row = connection.execute(_KEY, (declared.regclass, declared.key)).fetchone()
    if row is None:
        raise BadTreeError(f"{what} is not in this database; expected a column to walk the table by; mend `key`")
    if not row[1] or not row[2]:
        lacks = "may be NULL" if not row[1] else "has no unique index of its own"
        raise BadTreeError(f"{what} {lacks}; expected a NOT NULL column with a unique index; choose another `key`")
    return str(row[0])
