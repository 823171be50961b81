"""Contracts of a version whose tree is not here: only its image holds their SQL, but their names are on record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migrations.on_record import LEFT_OUT
from preview.release import Asked, Part


def contracts(asked: Asked, facts: Mapping[str, Any] | None) -> list[Part]:
    """Those that the version carries and the database has not had, as an examination would tell them."""
    if facts is None:
        return []
    carried, applied = [*asked.known.get(asked.version, ())], set(facts.get("revisions", ()))
    if facts.get(LEFT_OUT):  # the oldest ones: what comes before an applied one was applied
        carried = carried[max((at for at, name in enumerate(carried, 1) if name in applied), default=0) :]
    return [_named(name, asked.version) for name in carried if name not in applied]


def _named(name: str, version: str) -> Part:
    return {
        "revision": name,
        "phase": "contract",
        "file": "",
        "statements": [],
        "findings": [],
        "exceptions": [],
        "undeclared": [],
        "reason": f"only the image of {version} holds its SQL",
    }
