"""One batch of a backfill: some rows in the order of the key, and the position, in one short transaction.

Rows that a customer has locked are skipped, not waited for: a wait for one row would hold the locks of all rows before
it, and customers would queue behind us. What was skipped is still `todo`, so a later pass finds it. For the same reason
a batch is in no deadlock over rows of its table; over others (a trigger, a foreign key) it can be, and is tried again.

The position is written with the rows: a run that is killed, at any point, goes on behind the last batch that is
committed, and no row is counted twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from migrations.backfilling.declaration import Declaration
from migrations.backfilling.settings import BackfillSettings
from migrations.database import Connection
from migrations.errors import StatementFailedError

_SPAN_MOST = 50_000  # keys that one batch looks at, where most rows are filled already
_FASTER, _SLOWER = 1.5, 0.5  # how much a batch may differ from the one before

_BATCH = """
WITH stop AS (
    SELECT {key} AS bluegreen_key FROM {table} WHERE {after} ORDER BY {key} OFFSET {span} LIMIT 1
), chosen AS MATERIALIZED (
    SELECT {key} AS bluegreen_key FROM {table}
    WHERE {after} AND {key} <= coalesce((SELECT bluegreen_key FROM stop), {end}) AND {todo}
    ORDER BY {key} LIMIT {rows} FOR NO KEY UPDATE SKIP LOCKED
), filled AS (
    UPDATE {table} SET {assign} FROM chosen WHERE {key} = chosen.bluegreen_key RETURNING {todo} AS bluegreen_left
)
SELECT (SELECT count(*) FROM filled),
       (SELECT count(*) FROM filled WHERE bluegreen_left),
       -- With its table: the name alone would be the text that is selected, and 99 comes behind 100 as text.
       (SELECT bluegreen_key::text FROM chosen ORDER BY chosen.bluegreen_key DESC LIMIT 1),
       (SELECT bluegreen_key::text FROM stop)
"""
_KEEP = "UPDATE schema_backfills SET position = %s, rows_done = rows_done + %s, updated_at = clock_timestamp()"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one batch did. `position` None: the end of the table is reached."""

    position: str | None
    filled: int
    seconds: float
    fill_seconds: float
    commit_seconds: float


class Batches:
    """The batches of one pass, each as large as its time allows."""

    def __init__(
        self, connection: Connection, declared: Declaration, key_type: str, settings: BackfillSettings
    ) -> None:
        self._connection, self._declared, self._settings = connection, declared, settings
        self._type = key_type
        self.rows = min(max(200, settings.batch_rows_least), settings.batch_rows_most)
        self._span = self.rows

    def last_key(self) -> str | None:
        """The last key of the table as it is now; None when it is empty. A pass does not go beyond it."""
        statement = sql.SQL("SELECT {key}::text FROM {table} ORDER BY {key} DESC LIMIT 1")
        row = self._connection.execute(self._formatted(statement)).fetchone()
        return None if row is None else str(row[0])

    def next(self, position: str | None, end: str) -> Batch:
        """Fill the next rows behind `position`, and keep the new position. Raises psycopg.Error, MigrationError."""
        began = time.monotonic()
        with self._connection.transaction():
            filled, wrong, last, stop = self._fill(position, end)
            fill_seconds = time.monotonic() - began
            if wrong:
                raise self._never_done(filled, wrong)
            now = last if filled == self.rows else stop
            self._keep(end if now is None else now, filled)
            committing = time.monotonic()
        ended = time.monotonic()
        batch = Batch(
            position=now,
            filled=filled,
            seconds=ended - began,
            fill_seconds=fill_seconds,
            commit_seconds=ended - committing,
        )
        self._adapt(batch)
        return batch

    def shrink(self) -> bool:
        """After a refusal: half as many rows; False when there are as few as may be."""
        before = self.rows
        self.rows = max(self._settings.batch_rows_least, self.rows // 2)
        self._span = self.rows
        return self.rows < before

    def _fill(self, position: str | None, end: str) -> tuple[int, int, str | None, str | None]:
        statement = filling(self._declared, self._type, position, end, rows=self.rows, span=self._span)
        row = self._connection.execute(statement).fetchone()
        if row is None:
            raise StatementFailedError(f"migrations: backfill {self._declared.name}: the batch answered no row")
        return int(row[0]), int(row[1]), row[2], row[3]

    def _keep(self, position: str, filled: int) -> None:
        self._connection.execute(_KEEP + " WHERE revision = %s", (position, filled, self._declared.name))

    def _never_done(self, filled: int, wrong: int) -> StatementFailedError:
        return StatementFailedError(
            f"migrations: backfill {self._declared.name}: {wrong} of {filled} rows are still to do after `assign`, "
            "expected `todo` to be false for a row that was filled; nothing of this batch was kept; "
            "mend the backfill and release again"
        )

    def _adapt(self, batch: Batch) -> None:
        """As many rows as fill the time; where little is to do, as many keys.

        By the time of the filling alone: a network that is slow or a disk that is would make batches of a few rows.
        """
        target = self._settings.batch_milliseconds / 1000
        factor = min(_FASTER, max(_SLOWER, target / max(batch.fill_seconds, 1e-6)))
        if factor < 1 or batch.filled >= self.rows:
            wanted = int(self.rows * factor) + (factor > 1)
            self.rows = min(self._settings.batch_rows_most, max(self._settings.batch_rows_least, wanted))
        self._span = min(max(_SPAN_MOST, self.rows), max(self.rows, int(self._span * factor)))

    def _formatted(self, statement: sql.SQL, **more: sql.Composable) -> sql.Composed:
        return statement.format(key=self._declared.key_sql, table=self._declared.table_sql, **more)


def filling(
    declared: Declaration, key_type: str, position: str | None, end: str | None, *, rows: int, span: int
) -> sql.Composed:
    """The statement of one batch. `key_type`: PostgreSQL's own name of the type."""

    def key(position: str | None) -> sql.Composed:
        return sql.SQL("CAST({} AS {})").format(sql.Literal(position), sql.SQL(key_type))

    onward = sql.SQL("{} > {}").format(declared.key_sql, key(position))
    return sql.SQL(_BATCH).format(
        after=sql.SQL("true") if position is None else onward,
        end=key(end),
        rows=sql.Literal(rows),
        span=sql.Literal(span - 1),
        assign=declared.assign_sql,
        todo=declared.todo_sql,
        key=declared.key_sql,
        table=declared.table_sql,
    )


def counting(declared: Declaration) -> sql.Composed:
    """The statement that counts the rows still to be filled."""
    return sql.SQL("SELECT count(*) FROM {} WHERE {}").format(declared.table_sql, declared.todo_sql)


def left(connection: Connection, declared: Declaration, settings: BackfillSettings) -> int:
    """How many rows are still to be filled, counted now. One reader alone: a count must not take all processors."""
    limits = {"statement_timeout": f"{settings.count_seconds}s", "max_parallel_workers_per_gather": "0"}
    with connection.transaction():
        for name, value in {**limits, "enable_seqscan": "on", "enable_bitmapscan": "on"}.items():
            connection.execute("SELECT set_config(%s, %s, true)", (name, value))
        row: tuple[Any, ...] | None = connection.execute(counting(declared)).fetchone()
    return 0 if row is None else int(row[0])
