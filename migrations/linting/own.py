"""Rules of our own, on the tree of squawk's parser: what squawk has no rule for, or only half of one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from migrations.linting import calls, enum_values, kinds, own_more
from migrations.linting.rules import OFFLINE, READS, SYNTAX
from migrations.linting.sql import RevisionSql, Statement
from migrations.linting.syntax import Node

NEVER_IN_TRANSACTION = kinds.NEVER_IN_TRANSACTION


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A rule that fired."""

    rule: str
    statement: int | None
    message: str


def hits(sql: RevisionSql, squawks: Sequence[Hit]) -> Iterator[Hit]:
    """Everything that our own rules find in a revision, after squawk's."""
    yield from _of_the_file(sql)
    if sql.errors:  # what cannot be read is told, and nothing is guessed of the rest
        yield Hit(rule=SYNTAX, statement=None, message=f"the parser says: {sql.errors[0]}")
        return
    yield from _beyond(sql)
    if sql.revision.phase == "backfill":
        yield from _backfill(sql)
        return
    yield from _statements(sql)
    yield from _undeclared(sql)
    yield from _others(sql, {hit.statement for hit in squawks if hit.rule.startswith(("ban-", "renaming-"))})


def _of_the_file(sql: RevisionSql) -> Iterator[Hit]:
    if sql.unseen:
        yield Hit(rule=OFFLINE, statement=None, message=f"the lint cannot see all of its SQL: {sql.unseen}")
    for column in sql.python_defaults:
        yield Hit(
            rule="python-side-default",
            statement=None,
            message=f"the default of {column} is known to Python and not to the server",
        )
    for name in sql.reads:
        yield Hit(rule=READS, statement=None, message=f"it takes something from {name}, which may change unseen")


def _statements(sql: RevisionSql) -> Iterator[Hit]:
    for rule, check in _STATEMENT_RULES.items():
        for statement in sql.statements:
            if message := check(statement, sql):
                yield Hit(rule=rule, statement=statement.number, message=message)


def _beyond(sql: RevisionSql) -> Iterator[Hit]:
    """What is not the service's, in any phase."""
    for statement in sql.statements:
        if message := own_more.runners_table(statement.node):
            yield Hit(rule="runners-own-tables", statement=statement.number, message=message)
        rule, message = own_more.banned(statement.node)
        if rule:
            yield Hit(rule=rule, statement=statement.number, message=message)


def _backfill(sql: RevisionSql) -> Iterator[Hit]:
    """Its texts make one UPDATE, which changes the rows of its table and nothing else."""
    changes = [node.kind for one in sql.statements for node in one.node.all("UPDATE", "DELETE", "INSERT", "MERGE")]
    if sql.statements and (len(sql.statements) != 1 or changes != ["UPDATE"]):
        yield Hit(rule="backfill-statement", statement=None, message="table, assign and todo make more than one UPDATE")


def made_here(statements: Sequence[Statement]) -> frozenset[str]:
    """The tables that a revision makes itself: nobody else can hold them, and they are empty.

    IF NOT EXISTS makes none where there is one, which may be in use.
    """
    return frozenset(
        name.name
        for statement in statements
        if statement.node.kind in {"CREATE_TABLE", "CREATE_TABLE_AS"} and not statement.node.child("IF_NOT_EXISTS")
        for name in statement.node.all("TABLE_NAME")
    )


def never_in_transaction(node: Node) -> bool:
    """Does PostgreSQL refuse to run it inside of a transaction?"""
    return (
        node.kind in kinds.NEVER_IN_TRANSACTION
        or node.has(*kinds.REINDEX_OF_MANY)
        or (node.has("CONCURRENTLY_KW") and node.kind != "REFRESH")
    )


def locked_tables(statement: Statement) -> Iterator[str]:
    """The tables that a statement names and locks, those of foreign keys included."""
    node = statement.node
    if node.kind in kinds.LOCKING:
        yield from _names(node)
    elif node.kind == "CREATE_TABLE":
        for reference in node.all("REFERENCES_CONSTRAINT", "FOREIGN_KEY_CONSTRAINT", "INHERITS", "PARTITION_OF"):
            yield from _names(reference)


def _names(node: Node) -> Iterator[str]:
    return (name.name for name in node.all(*kinds.TABLE))


def _undeclared(sql: RevisionSql) -> Iterator[Hit]:
    declared = sql.revision.settings.get("tables", ())
    known = {*(declared if isinstance(declared, tuple) else ()), *made_here(sql.statements)}
    for statement in sql.statements:
        for table in sorted(set(locked_tables(statement)) - known):
            yield Hit(
                rule="tables-declared", statement=statement.number, message=f"it locks {table}, which `tables` lacks"
            )


def _others(sql: RevisionSql, judged: Collection[int | None]) -> Iterator[Hit]:
    """What squawk has no rule for at all."""
    for statement in sql.statements:
        rule, message = own_more.other(statement.node)
        if rule and statement.number not in judged:
            yield Hit(rule=rule, statement=statement.number, message=message)


def _drop_cascade(statement: Statement, _: RevisionSql) -> str:
    removes = statement.node.kind.startswith(("DROP_", "TRUNCATE", "ALTER_"))
    return "CASCADE removes what nobody has named" if removes and _cascades(statement.node) else ""


def _cascades(node: Node) -> bool:
    # ON DELETE CASCADE of a foreign key is about rows.
    for child in node.children:
        if child.kind in {"CASCADE", "CASCADE_KW"}:
            return True
        if not child.kind.endswith("_CONSTRAINT") and _cascades(child):
            return True
    return False


def _column_check(statement: Statement, sql: RevisionSql) -> str:
    return own_more.column_check(statement.node, next(_names(statement.node), ""), made_here(sql.statements))


def _truncate(statement: Statement, _: RevisionSql) -> str:
    return "TRUNCATE removes all rows" if statement.node.kind == "TRUNCATE" else ""


def _serial(statement: Statement, sql: RevisionSql) -> str:
    """Squawk knows of it for primary keys only."""
    if statement.node.kind != "ALTER_TABLE" or next(_names(statement.node), "") in made_here(sql.statements):
        return ""
    types = (kind.text.strip().lower() for column in statement.node.all("ADD_COLUMN") for kind in _types(column))
    found = next((name for name in types if name.rpartition(".")[2] in kinds.SERIAL), "")
    return f"{found} gives each row a number of its own: the table is written anew" if found else ""


def _types(column: Node) -> Iterator[Node]:
    return (node for node in column.children if node.kind == "PATH_TYPE")


def _enum_value_used(statement: Statement, sql: RevisionSql) -> str:
    """A later statement of the transaction in which the value was added."""
    for earlier in sql.statements[: statement.number - 1]:
        same = earlier.transaction is not None and earlier.transaction == statement.transaction
        if same and (message := enum_values.used(statement.node, earlier.node)):
            return message
    return ""


def _explicit_lock(statement: Statement, _: RevisionSql) -> str:
    return "LOCK holds until the revision is committed" if statement.node.kind == "LOCK" else ""


def _needs_no_transaction(statement: Statement, _: RevisionSql) -> str:
    node = statement.node
    if statement.transaction is None or not never_in_transaction(node):
        return ""
    what = "with CONCURRENTLY" if node.has("CONCURRENTLY_KW") else node.kind.replace("_", " ")
    return f"{what} it cannot run inside of a transaction"


def _opaque(statement: Statement, _: RevisionSql) -> str:
    kind = statement.node.kind
    seen = kind in {*kinds.KNOWN, *kinds.TRANSACTION, *kinds.SESSION} or kind.startswith(kinds.DDL)
    if seen and (function := calls.reaching(statement.node)):
        return f"it calls {function}, which does more than the statement says"
    return "" if seen else f"the lint cannot see what {kind.replace('_', ' ')} does"


def _own_transaction(statement: Statement, _: RevisionSql) -> str:
    kind = statement.node.kind
    return f"{kind.split('_')[0]} of its own" if kind in kinds.TRANSACTION else ""


def _rewrites(statement: Statement, _: RevisionSql) -> str:
    node = statement.node
    if node.has(*kinds.REWRITES):
        return f"{next(node.all(*kinds.REWRITES)).kind.replace('_', ' ')} writes the whole table anew"
    if node.has("REINDEX_TARGET_SYSTEM"):
        return "REINDEX SYSTEM shuts everybody out of the catalog"
    if node.kind == "VACUUM" and node.has("FULL_KW"):
        return "VACUUM FULL writes the whole table anew"
    if node.kind == "REFRESH" and not node.has("CONCURRENTLY_KW"):
        return "REFRESH without CONCURRENTLY shuts readers out while it runs"
    return ""


def _row_change(statement: Statement, sql: RevisionSql) -> str:
    own = made_here(sql.statements)
    for change in statement.node.all("UPDATE", "DELETE", "MERGE"):
        target = next(_names(change), "")
        if target and target not in own:
            return f"{change.kind} of rows of {target}"
    if statement.node.kind in {"INSERT", "CREATE_TABLE_AS"} and statement.node.has("FROM_CLAUSE", "TABLE"):
        return f"{statement.node.kind.replace('_', ' ')} copies rows that are read from a table"
    return ""


def _session_state(statement: Statement, _: RevisionSql) -> str:
    node = statement.node
    if node.kind in kinds.SESSION:
        return f"{node.kind.replace('_', ' ')} changes the runner's session"
    if node.kind != "SET":
        return ""
    names = [parameter.name.strip('"').lower() for parameter in node.all("CONFIG_PARAMETER_REF")]
    if limits := [name for name in names if name in kinds.LIMITS]:
        return f"it sets {limits[0]}, which the runner has set"
    if others := [name for name in names if name in kinds.MEANING]:
        return f"it sets {others[0]}: its statements do something else then than the lint reads"
    return "" if node.has("LOCAL_KW") else "SET without LOCAL outlives the revision"


def _conversion(statement: Statement, _: RevisionSql) -> str:
    return own_more.implicit_conversion(statement.node)


def _inherited(statement: Statement, _: RevisionSql) -> str:
    """Squawk knows of every other change of a constraint."""
    inherits = any(change.child("INHERIT") for change in statement.node.all("ALTER_CONSTRAINT"))
    return "INHERIT gives the restriction to every child of the table" if inherits else ""


def _replaced(statement: Statement, _: RevisionSql) -> str:
    """Squawk knows of what is replaced more often."""
    node = statement.node
    found = node.kind in {"CREATE_LANGUAGE", "CREATE_TRANSFORM"} and node.child("OR_REPLACE")
    return f"{node.kind.replace('_', ' ')} with OR REPLACE exchanges what is in use" if found else ""


_STATEMENT_RULES: Final[dict[str, Callable[[Statement, RevisionSql], str]]] = {
    "adding-field-with-default": _serial,
    "ban-implicit-conversion": _conversion,
    "ban-new-write-restriction": _inherited,
    "ban-replace-view-function": _replaced,
    "ban-truncate": _truncate,
    "column-check": _column_check,
    "drop-cascade": _drop_cascade,
    "enum-value-used": _enum_value_used,
    "explicit-lock": _explicit_lock,
    "needs-no-transaction": _needs_no_transaction,
    "opaque-statement": _opaque,
    "own-transaction": _own_transaction,
    "rewrites-table": _rewrites,
    "row-change": _row_change,
    "session-state": _session_state,
}
