"""Answers of a plugin in the protocol's own messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from preview import visible
from provider.rpc.messages import Change, Difference, Failure, InitFailed
from provider.rpc.values import plain, reveal, struct


def abort_init_failed(context: Any, failed: InitFailed) -> NoReturn:
    """End a request so that the engine keeps the resource in state, with `failed.reasons` as its initErrors."""
    text, reasons = visible.terminal(str(failed)), [visible.terminal(one) for one in failed.reasons]
    packed = any_pb2.Any()
    packed.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=failed.id, properties=struct(failed.state), inputs=struct(failed.inputs), reasons=reasons
        )
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text, details=[packed])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, text)
    raise AssertionError


def values(message: Any) -> dict[str, Any]:
    """The Struct of a request as plain Python, secrets opened."""
    opened: dict[str, Any] = reveal(plain(message))
    return opened


def refusals(failures: Sequence[Failure]) -> list[Any]:
    """Check failures as the protocol has them."""
    return [provider_pb2.CheckFailure(property=one.property, reason=one.reason) for one in failures]


def _kind(change: Change) -> Any:
    name = f"{change.kind}_replace" if change.replace else change.kind
    return provider_pb2.PropertyDiff.Kind.Value(name.upper())


def difference(found: Difference) -> Any:
    """Answer of Diff as the protocol has it."""
    changes: Mapping[str, Change] = found.changes
    detailed = {
        key: provider_pb2.PropertyDiff(kind=_kind(change), inputDiff=change.input) for key, change in changes.items()
    }
    kinds = provider_pb2.DiffResponse
    return provider_pb2.DiffResponse(
        changes=kinds.DIFF_SOME if changes else kinds.DIFF_NONE,
        diffs=list(changes),
        replaces=[key for key, change in changes.items() if change.replace],
        deleteBeforeReplace=found.delete_before_replace,
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )
