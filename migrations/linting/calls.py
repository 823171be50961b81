"""The functions that a statement calls, by name."""

from __future__ import annotations

from collections.abc import Iterator

from migrations.linting.syntax import Node

# What they change is seen by others than the statement, and is no part of what the statement says it does.
_REACHING = (
    "dblink", "dblink_exec", "lo_import", "lo_unlink", "nextval", "pg_advisory_lock", "pg_advisory_xact_lock",
    "pg_cancel_backend", "pg_logical_emit_message", "pg_notify", "pg_reload_conf", "pg_sleep", "pg_terminate_backend",
    "query_to_xml", "set_config", "setval",
)  # fmt: skip
_RUN_AT_ONCE = ("CREATE_MATERIALIZED_VIEW", "CREATE_TABLE_AS", "DELETE", "INSERT", "MERGE", "UPDATE")


def called(node: Node) -> Iterator[str]:
    """Without their schemas, as the catalog has them."""
    for call in node.all("CALL_EXPR"):
        function = call.child("NAME_REF", "FIELD_EXPR")
        if function is not None:
            yield function.name.rpartition(".")[2]


def reaching(node: Node) -> str:
    """A function that a statement calls while it runs, and that reaches beyond it; empty where there is none."""
    if node.kind not in _RUN_AT_ONCE:
        return ""
    return next((name for name in called(node) if name in _REACHING), "")
