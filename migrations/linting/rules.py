"""Which rule holds in which phase: squawk's, by name, and those of our own that `own` has the code of.

Expand only adds: two versions of the service work with what it leaves behind. A contract removes what no version needs
any more. In both, no statement may make the service wait for more than a moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from migrations.linting.verdict import Level
from migrations.revision_file import Phase

SERVER: Final = "18.0"  # what squawk is told of; its rules have been the same since PostgreSQL 12

# Safe in no phase: name, and what to do instead.
_ALWAYS: Final[Mapping[str, str]] = {
    "adding-field-with-default": "add the column without it, set the default in a second statement, fill in a backfill",
    "adding-foreign-key-constraint": "add it NOT VALID, and VALIDATE it in a revision of its own",
    "adding-not-nullable-field": "add CHECK (... IS NOT NULL) NOT VALID, VALIDATE it in a revision of its own, then "
    "SET NOT NULL, which reads nothing any more",
    "adding-required-field": "give it a DEFAULT that the server knows, or add it nullable, fill it in a backfill and "
    "require it in a contract",
    "adding-serial-primary-key-field": "build a unique index CONCURRENTLY, then ADD PRIMARY KEY USING INDEX",
    "ban-alter-database-options": "settings of the database are the infrastructure's: change them there",
    "ban-alter-domain-with-add-constraint": "use a CHECK constraint on the table, NOT VALID first",
    "ban-alter-system-options": "settings of the server are the infrastructure's: change them there",
    "ban-create-domain-with-constraint": "use a CHECK constraint on the table, which can be NOT VALID",
    "ban-disable-trigger": "write so that the trigger may run",
    "ban-drop-database": "a revision is about this database's schema",
    "ban-replica-identity": "this is for who runs the replication",
    "ban-set-schema": "make the new one beside the old one and keep both until a contract",
    "changing-column-type": "add a column of the new type, keep both in step with a trigger, fill it in a backfill and "
    "drop the old one in a contract; an enum gets ALTER TYPE ... ADD VALUE",
    "constraint-missing-not-valid": "add it NOT VALID, and VALIDATE it in a transaction after that",
    "disallowed-unique-constraint": "concurrently.create_index with unique=True, then ADD CONSTRAINT ... UNIQUE USING "
    "INDEX in a later revision",
    "identifier-too-long": "PostgreSQL cuts names at 63 bytes: choose a shorter one",
    "renaming-column": "add a second column, keep both in step, and drop the old one in a contract",
    "renaming-object": "make the new one beside the old one; an enum gets ALTER TYPE ... ADD VALUE",
    "renaming-table": "keep the name, or put a view beside it: a version that is live knows the old one only",
    "require-concurrent-index-creation": "migrations.concurrently has create_index, for a revision of its own",
    "require-concurrent-index-deletion": "migrations.concurrently has drop_index, for a revision of its own",
    "require-concurrent-partition-detach": "migrations.concurrently has detach_partition, for a revision of its own",
    "require-concurrent-reindex": "migrations.concurrently has reindex, for a revision of its own",
}
_CONTRACT: Final = "that belongs in a contract revision"
_BOTH_LIVE: Final = "two versions are live after an expand: what the older one does must go on working"
# The older version is still live, or has to be able to come back.
_NOT_IN_EXPAND: Final[Mapping[str, str]] = {
    "ban-add-composite-attribute": _BOTH_LIVE,
    "ban-alter-extension": _BOTH_LIVE,
    "ban-alter-function-options": _BOTH_LIVE,
    "ban-alter-generated-expression": _BOTH_LIVE,
    "ban-alter-identity": _BOTH_LIVE,
    "ban-alter-policy-condition": _BOTH_LIVE,
    "ban-alter-policy-roles": _BOTH_LIVE,
    "ban-alter-role-options": _BOTH_LIVE,
    "ban-alter-row-level-security": _BOTH_LIVE,
    "ban-alter-sequence-values": _BOTH_LIVE,
    "ban-alter-view-options": _BOTH_LIVE,
    "ban-create-policy": _BOTH_LIVE,
    "ban-detach-inheritance": _CONTRACT,
    "ban-drop-column": _CONTRACT,
    "ban-drop-constraint": _CONTRACT,
    "ban-drop-default": _CONTRACT,
    "ban-drop-domain": _CONTRACT,
    "ban-drop-extension": _CONTRACT,
    "ban-drop-function": _CONTRACT,
    "ban-drop-generated-expression": _CONTRACT,
    "ban-drop-index": _CONTRACT,
    "ban-drop-not-null": "a version that is live does not expect NULL there: let the new one write a value",
    "ban-drop-policy": _CONTRACT,
    "ban-drop-schema": _CONTRACT,
    "ban-drop-sequence": _CONTRACT,
    "ban-drop-table": _CONTRACT,
    "ban-drop-type": _CONTRACT,
    "ban-drop-view": _CONTRACT,
    "ban-new-write-restriction": "the older version may write what it forbids: add it in a contract",
    "ban-replace-view-function": "make a second one under another name and drop this one in a contract",
    "ban-revoke": _CONTRACT,
    "ban-set-default": "the older version would write it without knowing: let the new version write the value",
}
_WORTH_SAYING: Final[Mapping[str, str]] = {
    "ban-char-field": "use text",
    "prefer-bigint-over-int": "use bigint: changing the type later rewrites the table",
    "prefer-identity": "use GENERATED ALWAYS AS IDENTITY",
    "prefer-text-field": "use text, with a CHECK (NOT VALID first) for its length",
    "prefer-timestamp-tz": "use timestamptz",
}
_WORTH_SAYING_IN_EXPAND: Final[Mapping[str, str]] = {
    "ban-add-enum-value": "the older version may read a value it does not know: write it first when that one is gone",
}
# Not for this project: what the runner does itself (limits, transactions), what a rule of our own says for all cases
# of it, and what is a matter of taste.
LEFT_OUT: Final = (
    "ban-add-column",
    "ban-concurrent-index-creation-in-transaction",
    "ban-truncate-cascade",
    "ban-uncommitted-transaction",
    "prefer-bigint-over-smallint",
    "prefer-repack",
    # What runs outside a transaction goes through migrations.concurrently (the tree is refused else), which looks for
    # what is there: IF NOT EXISTS, which this rule is content with, takes an index that was never finished for one.
    "prefer-robust-stmts",
    "require-enum-value-ordering",
    "require-lock-timeout",
    "require-statement-timeout",
    "require-table-schema",
    "require-timeout-settings",
    "transaction-nesting",
)

SYNTAX: Final = "syntax-error"
OFFLINE: Final = "offline-sql"
EXCEPTION: Final = "lint-exceptions"  # what is wrong with an exception; cannot be excepted itself
READS: Final = "reads-beside"
_OWN: Final[Mapping[str, str]] = {
    READS: "write it into the revision itself: the checksum that tells an edited revision is of that one file",
    SYNTAX: "mend it; if PostgreSQL takes it all the same, say so in lint_exceptions: the revision is not linted then",
    OFFLINE: "write the statements as op.execute or Alembic operations that need no database; rows belong in a "
    "backfill",
    "ban-truncate": "no version expects its rows to be gone",
    "column-check": "add the column without it, then ADD CONSTRAINT ... CHECK ... NOT VALID, and VALIDATE it in a "
    "revision of its own",
    "drop-cascade": "name each thing that goes: what depends on it would go unseen",
    "enum-value-used": "use the value in a later revision: it may not be used before it is committed",
    "explicit-lock": "let each statement take its own lock, in revisions that are small",
    "needs-no-transaction": "run it by migrations.concurrently.once, in a revision of its own",
    "opaque-statement": "write what it does as plain statements, or say in lint_exceptions what it is",
    "owned-by-role": "name each thing: what a role owns is another thing on each database",
    "own-transaction": "leave transactions to the runner, which writes the history in them; "
    "migrations.concurrently is for what must be outside",
    "rewrites-table": "the table is locked for all the time it takes: do it in a maintenance window, or with pg_repack",
    "row-change": "rows that are there are changed in a backfill, in batches: this locks each of them until its "
    "revision is committed",
    "runners-own-tables": "leave them to the runner: it believes what they say of the schema",
    "session-state": "SET LOCAL ends with its transaction; the constants lock_timeout and statement_timeout of the "
    "revision are for the limits",
    "tables-declared": "name it in `tables`: while a long transaction holds it the runner does not queue",
}
_OWN_NOT_IN_EXPAND: Final[Mapping[str, str]] = {
    "ban-alter-other": _BOTH_LIVE,
    "ban-drop-other": _CONTRACT,
    "ban-event-trigger": "it runs in each session that changes the schema, the runner's too: it is for who runs the "
    "database",
    "ban-implicit-conversion": _BOTH_LIVE + "; a statement of it may mean something else, or nothing at all",
    "ban-replication": "publications and subscriptions are for who runs the replication",
    "ban-rule": _BOTH_LIVE + "; use a trigger, which sees one row at a time",
    "python-side-default": "give it a server_default too: the older version writes rows without it",
}
_OF_BACKFILLS: Final[Mapping[str, str]] = {
    SYNTAX: _OWN[SYNTAX],
    "runners-own-tables": _OWN["runners-own-tables"],
    "backfill-statement": "assign is what follows SET, todo what follows WHERE; what else there is to do is a revision "
    "or a backfill of its own",
}

_BY_PHASE: Final[Mapping[Phase, Mapping[Level, Mapping[str, str]]]] = {
    "expand": {
        "error": {**_ALWAYS, **_NOT_IN_EXPAND, **_OWN, **_OWN_NOT_IN_EXPAND},
        "warning": {**_WORTH_SAYING, **_WORTH_SAYING_IN_EXPAND},
    },
    "contract": {"error": {**_ALWAYS, **_OWN}, "warning": _WORTH_SAYING},
    "backfill": {"error": _OF_BACKFILLS},
}
SQUAWKS: Final = (*_ALWAYS, *_NOT_IN_EXPAND, *_WORTH_SAYING, *_WORTH_SAYING_IN_EXPAND)
ALL: Final = frozenset((*SQUAWKS, *_OWN, *_OWN_NOT_IN_EXPAND, *_OF_BACKFILLS))


def level(rule: str, phase: Phase) -> Level | None:
    """Error, warning, or None where the rule does not hold in the phase. One that nobody has judged is an error."""
    for found, rules in _BY_PHASE[phase].items():
        if rule in rules:
            return found
    return None if rule in ALL or rule in LEFT_OUT else "error"


def advice(rule: str, phase: Phase) -> str:
    """What to do instead; empty for a rule that nobody has judged."""
    return next((rules[rule] for rules in _BY_PHASE[phase].values() if rule in rules), "")
