"""What migration tasks told of the database, and which contract revisions each version's tree carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from provider.rpc.values import unknown

FACTS: Final = "facts"
TAKEN_AT: Final = "takenAt"
COMPLETE: Final = "complete"
KNOWN: Final = "known"
INPUTS: Final = (FACTS, TAKEN_AT, COMPLETE)  # what Check makes of the results
SHOWN: Final = (TAKEN_AT, COMPLETE)
PROJECT: Final = Path(__file__).resolve().parent.parent

Facts = Mapping[str, Any]


def told(results: object) -> dict[str, Any]:
    """The inputs that stand for the results: the newest facts, and whether all tasks have told theirs."""
    given = results if isinstance(results, list) else []
    known = [one.get(FACTS) for one in given if isinstance(one, Mapping)]
    found: dict[str, Any] = {COMPLETE: isinstance(results, list) and not any(unknown(one) for one in given)}
    if newest := _newest(known):
        found |= {FACTS: newest, TAKEN_AT: newest[TAKEN_AT]}
    return found


def latest(inputs: Mapping[str, Any], state: Mapping[str, Any]) -> Facts | None:
    """The newest facts there are: of this run's tasks, or on record."""
    return _newest([inputs.get(FACTS), state.get(FACTS)])


def noted(inputs: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """What goes on record: the newest facts, and the contract revisions of each version in the lineage."""
    carried = {**known(state), **_carried(inputs)}
    lineage = inputs.get("lineage", [])
    found: dict[str, Any] = {KNOWN: {name: carried[name] for name in lineage if name in carried}}
    newest = latest(inputs, state)
    return {**found, FACTS: newest, TAKEN_AT: newest[TAKEN_AT]} if newest else found


def known(state: Mapping[str, Any]) -> dict[str, list[str]]:
    """The contract revisions of each version's tree, as far as they are on record."""
    found = state.get(KNOWN)
    return dict(found) if isinstance(found, Mapping) else {}


def folder(inputs: Mapping[str, Any]) -> Path | None:
    """The migrations of the version that is wanted; None where the checkout holds another version."""
    if inputs["treeVersion"] != inputs["version"]:
        return None
    return Path(PROJECT, str(inputs["context"]), "migrations")


def contracts(inputs: Mapping[str, Any]) -> list[str] | None:
    """The contract revisions of the wanted version's tree, in order; None where it is not here or can't be read."""
    from migrations.errors import MigrationError
    from migrations.tree import read_tree

    tree = folder(inputs)
    if tree is None:
        return None
    try:
        return [revision.revision for revision in read_tree(tree).contract]
    except (MigrationError, OSError):
        return None


def _carried(inputs: Mapping[str, Any]) -> dict[str, list[str]]:
    found = contracts(inputs)
    return {} if found is None else {inputs["version"]: found}


def _newest(found: Iterable[object]) -> Facts | None:
    """Of those that are whole. ISO 8601 in UTC sorts by its text."""
    whole = [one for one in found if isinstance(one, Mapping) and isinstance(one.get(TAKEN_AT), str)]
    return max((one for one in whole if not unknown(one)), key=lambda one: str(one[TAKEN_AT]), default=None)
