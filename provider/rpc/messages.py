"""What a plugin is asked and what it answers, as plain dataclasses; and the two ways in which it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class Fail(Exception):  # noqa: N818 - an outcome that a plugin reports, named as the protocol names it
    """The operation failed; the text is what the user reads. State stays what it was."""


class InitFailed(Fail):
    """The resource exists but is not good: the engine keeps `id` and `state` and marks it as failed.

    From Create the new inputs are kept, from Update the old ones. A refresh wipes the engine's mark, so the diff of
    such a resource has to look at the recorded result.
    """

    def __init__(self, id_: str, state: Mapping[str, Any], inputs: Mapping[str, Any], reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.id, self.state, self.inputs, self.reasons = id_, dict(state), dict(inputs), list(reasons)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of the engine about one resource. Keys are as on the wire (camelCase); a call has what it carries.

    `timeout` is the resource's custom timeout in seconds, 0.0 where none is set. `state` holds outputs.
    """

    urn: str
    id: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    old_inputs: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    preview: bool = False
    timeout: float = 0.0
    random_seed: bytes = b""
    ignore_changes: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The resource's type token without the types of its parents: `aws:ec2/vpc:Vpc`."""
        return self.urn.split("::")[2].rsplit("$", 1)[-1]

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return self.urn.split("::", 3)[3]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One input that Check refuses."""

    property: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Answer of Check: the inputs with defaults filled in, and what is wrong with them."""

    inputs: Mapping[str, Any]
    failures: Sequence[Failure] = ()


@dataclass(frozen=True, kw_only=True)
class Change:
    """One changed property. `input` false: shown with values of the state, not of the inputs."""

    kind: str = "update"  # add | delete | update
    input: bool = True
    replace: bool = False


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Answer of Diff. No change is an empty mapping."""

    changes: Mapping[str, Change] = field(default_factory=dict)
    delete_before_replace: bool = False


@dataclass(frozen=True, kw_only=True)
class Made:
    """Answer of Create (with `id`) and Update: the outputs. `refresh_before_update`: call Read before every plan."""

    state: Mapping[str, Any]
    id: str = ""
    refresh_before_update: bool = False


@dataclass(frozen=True, kw_only=True)
class Found:
    """Answer of Read. `inputs` are written to state too: live values there make the next plan repair drift."""

    id: str
    state: Mapping[str, Any]
    inputs: Mapping[str, Any]
    refresh_before_update: bool = False


def changed(old: Mapping[str, Any], new: Mapping[str, Any], replace: Sequence[str] = ()) -> dict[str, Change]:
    """Top-level keys in which two sets of inputs differ; the CLI prints the nested change by itself."""
    found = {}
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            kind = "add" if key not in old else "delete" if key not in new else "update"
            found[key] = Change(kind=kind, replace=key in replace)
    return found
