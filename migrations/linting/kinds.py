"""Kinds of statements, as squawk's parser names them."""

from __future__ import annotations

TABLE = ("TABLE_NAME_REF", "RELATION_NAME_REF")
# Kinds of statements of which the syntax tells what they do. Whatever else there is, is opaque.
KNOWN = (
    "ANALYZE",
    "CLUSTER",
    "COMMENT_ON",
    "DELETE",
    "GRANT",
    "INSERT",
    "LOCK",
    "MERGE",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "REVOKE",
    "SECURITY_LABEL",
    "SET",
    "SET_CONSTRAINTS",
    "TRUNCATE",
    "UPDATE",
    "VACUUM",
)
DDL = ("ALTER_", "CREATE_", "DROP_")
TRANSACTION = (
    "BEGIN",
    "BEGIN_TRANSACTION",
    "COMMIT",
    "COMMIT_PREPARED",
    "COMMIT_TRANSACTION",
    "PREPARE_TRANSACTION",
    "RELEASE_SAVEPOINT",
    "ROLLBACK",
    "ROLLBACK_PREPARED",
    "ROLLBACK_TO_SAVEPOINT",
    "ROLLBACK_TRANSACTION",
    "SAVEPOINT_CREATE",
    "SET_TRANSACTION",
    "START_TRANSACTION",
)
SESSION = ("DISCARD", "RESET", "RESET_ROLE", "RESET_SESSION_AUTH", "SET_ROLE", "SET_SESSION_AUTH")
SERIAL = ("bigserial", "serial", "serial2", "serial4", "serial8", "smallserial")
# DDL whose own lock (beyond ACCESS SHARE) is on a table that it names. Rows are locked otherwise, and not queued for.
LOCKING = (
    "ALTER_TABLE",
    "CLUSTER",
    "CREATE_INDEX",
    "CREATE_POLICY",
    "CREATE_RULE",
    "CREATE_STATISTICS",
    "CREATE_TRIGGER",
    "DROP_POLICY",
    "DROP_RULE",
    "DROP_TABLE",
    "DROP_TRIGGER",
    "LOCK",
    "REINDEX",
    "TRUNCATE",
    "VACUUM",
)
LIMITS = ("lock_timeout", "statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout")
# These change what a statement means, or what it sets off.
MEANING = ("role", "session_authorization", "session_replication_role", "standard_conforming_strings")
REINDEX_OF_MANY = ("REINDEX_TARGET_DATABASE", "REINDEX_TARGET_SCHEMA", "REINDEX_TARGET_SYSTEM")
NEVER_IN_TRANSACTION = (
    "ALTER_SYSTEM",
    "CREATE_DATABASE",
    "CREATE_TABLESPACE",
    "DROP_DATABASE",
    "DROP_TABLESPACE",
    "VACUUM",
)
REWRITES = ("CLUSTER", "SET_ACCESS_METHOD", "SET_LOGGED", "SET_TABLESPACE", "SET_UNLOGGED")
