"""What a run tells about the database, for the preview and the change request of the next release: server, revisions,
sizes of tables, backfills, and the structure as DDL. No row is read; rows and bytes are PostgreSQL's own estimates.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import LiteralString, TypeVar

import psycopg

from migrations import history, history_tables
from migrations.database import Connection
from migrations.on_record import CHECKSUMS, LEFT_OUT
from migrations.structures import ddl as structure_ddl
from migrations.structures import structure
from migrations.structures.structure import Structure
from migrations.tree import Tree

Facts = dict[str, object]

# The result is one line of a log; Docker's log drivers split a line at 16 KB.
LINE_LIMIT = 13_000
STRUCTURE_LIMIT = 12_000
_TABLES_TOLD = 100  # the biggest ones
_REVISIONS_TOLD = 150  # the newest ones, and
_CONTRACTS_TOLD = 50  # of these, whatever their age: a preview looks for those that a version does not know

_Found = TypeVar("_Found")
_SIZES: LiteralString = """
SELECT c.relname, greatest(c.reltuples, s.n_live_tup, 0)::bigint, pg_total_relation_size(c.oid)
FROM pg_class AS c LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'm') AND c.relname <> ALL (%s)
ORDER BY c.relpages DESC, c.relname LIMIT %s
"""
_PAGES = _SIZES.replace("pg_total_relation_size(c.oid)", "c.relpages::bigint * current_setting('block_size')::bigint")


def read(connection: Connection, tree: Tree, found: Structure | None = None) -> Facts:
    """The facts, made to fit on one line: the oldest revisions of a long history are left out, then the checksums of
    the older ones, the structure (null) where it does not fit without any checksum, then the smallest tables, then
    backfills that are finished.

    found: the structure, where it was read a moment ago.
    """
    tables, rows = sizes(connection), history.entries(connection)
    newest = _newest(rows)
    backfills = _backfills(connection, tree)
    checksums = {entry.revision: entry.checksum for entry in rows if entry.checksum and entry.revision in newest}
    facts: Facts = {
        "server": _server(connection),
        "takenAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "revisions": newest,
        CHECKSUMS: checksums,
        "tables": tables,
        "backfills": backfills,
        "structure": packed(found or _if_not_locked(connection, structure.read)),
    }
    if len(newest) < len(rows):
        facts[LEFT_OUT] = len(rows) - len(newest)
    if _size({**facts, CHECKSUMS: {}}) > LINE_LIMIT:
        facts["structure"] = None
    while _size(facts) > LINE_LIMIT and checksums:
        checksums = dict(list(checksums.items())[(len(checksums) + 1) // 2 :])
        facts[CHECKSUMS] = checksums
    while _size(facts) > LINE_LIMIT and tables:
        tables = dict(list(tables.items())[: len(tables) // 2])
        facts["tables"] = tables
    if _size(facts) > LINE_LIMIT:
        facts["backfills"] = {name: state for name, state in backfills.items() if not state["finished"]}
    return facts


def _newest(rows: Sequence[history.Entry]) -> list[str]:
    """Names in the order of application; of each phase the newest is among them."""
    chosen = {entry.phase: entry.revision for entry in rows}.values()
    contracts = [entry.revision for entry in rows if entry.phase == "contract"]
    kept = {*chosen, *contracts[-_CONTRACTS_TOLD:]}
    for entry in reversed(rows):
        if len(kept) >= _REVISIONS_TOLD:
            break
        kept.add(entry.revision)
    return [entry.revision for entry in rows if entry.revision in kept]


def packed(found: Structure | None) -> str | None:
    """base64 of the DDL, compressed; None when there is none or it is too long."""
    if found is None:
        return None
    text = base64.b64encode(zlib.compress(structure_ddl.render(found).encode(), 9)).decode()
    return text if len(text) <= STRUCTURE_LIMIT else None


def unpacked(text: str) -> str:
    """The DDL again. Raises ValueError for what is no such text."""
    try:
        return zlib.decompress(base64.b64decode(text, validate=True)).decode()
    except zlib.error as error:
        raise ValueError(f"structure: not compressed DDL: {error}") from error


def _size(facts: Facts) -> int:
    return len(json.dumps(facts))


def _server(connection: Connection) -> str:
    row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]).split()[0] if row else ""


def sizes(connection: Connection) -> dict[str, dict[str, int]]:
    """Rows and bytes of the biggest tables, as PostgreSQL estimates them."""
    found = _if_not_locked(
        connection, lambda it: it.execute(_SIZES, (list(history.OWN_TABLES), _TABLES_TOLD)).fetchall()
    )
    # Their sizes on disk cannot be asked for while one is locked; the catalog's own are as of the last ANALYZE.
    rows = found or connection.execute(_PAGES, (list(history.OWN_TABLES), _TABLES_TOLD)).fetchall()
    return {str(name): {"rows": int(count), "bytes": int(size)} for name, count, size in rows}


def _backfills(connection: Connection, tree: Tree) -> dict[str, dict[str, object]]:
    """For each backfill of the tree: is it finished, and how many rows are left (null: not counted)."""
    state: dict[str, tuple[int | None, bool]] = {}
    if history_tables.columns(connection, "schema_backfills"):
        for name, left, finished in connection.execute(
            "SELECT revision, greatest(rows_total - rows_done, 0), finished_at IS NOT NULL FROM schema_backfills"
        ):
            state[str(name)] = (None if left is None else int(left), bool(finished))
    for name in history.applied(connection).backfill:
        state[name] = (0, True)
    found = {revision.revision: state.get(revision.revision, (None, False)) for revision in tree.backfill}
    return {name: {"left": 0 if done else left, "finished": done} for name, (left, done) in found.items()}


def _if_not_locked(connection: Connection, look: Callable[[Connection], _Found]) -> _Found | None:
    """None where a table is locked for somebody alone: the facts are worth no waiting."""
    try:
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '200ms'")
            return look(connection)
    except psycopg.errors.LockNotAvailable:
        return None
