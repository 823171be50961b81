"""The versions of a service in the order in which they first served: what tells forward from back.

To have been asked for is not to have served. A version that failed at its gate, or whose shift was put back, is new
when it is asked for again: its schema comes first, what it needs is filled, and it takes every step under watch.
"""

from __future__ import annotations

from collections.abc import Sequence

Lineage = tuple[str, ...]


def served(known: Sequence[str], untried: str | None, serving: str | None) -> Lineage:
    """Those that have had all the weight.

    `untried` is the one that the last plan asked for before it had served: it counts only where it is `serving`, which
    has all the weight now, or had it when the shift began that was cut short.
    """
    kept = [one for one in known if one != untried or one == serving]
    return tuple(kept if serving is None or serving in kept else [*kept, serving])


def forward(before_it: Lineage, before: str | None, version: str) -> bool:
    """Whether the version is newer than the one that it takes over from, `before`.

    One that never served always is. One that took over for a moment only is newer than all that have served.
    """
    if before is None or version not in (*before_it, before):
        return True
    order = before_it if before in before_it else (*before_it, before)
    return order.index(version) >= order.index(before)


def with_asked(before_it: Lineage, version: str) -> Lineage:
    """As it goes on record: the version that is asked for is the newest, and untried until it has served."""
    return before_it if version in before_it else (*before_it, version)
