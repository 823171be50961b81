"""What the load wrote, so that it can be asked for again: every order's content follows from its number.

An order's content is a function of its number and of how often it was changed, so the ledger keeps three small
numbers for an order and not its text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.orders import STATUSES, Money

_CURRENCIES = ("EUR", "USD", "GBP", "CHF", "JPY")


@dataclass(slots=True)
class Written:
    """One order the service answered for.

    Attributes:
        number: which order of the run, from 0.
        id: the service's own id.
        change: the last change that was acknowledged; 0 is as created.
        unsure: a change was sent after it and not acknowledged, so either content is right.
        busy: a change is in flight. Never read at such a moment: either content would be right.
    """

    number: int
    id: int
    change: int = 0
    unsure: bool = False
    busy: bool = False

    def contents(self, run: str) -> list[dict[str, str]]:
        """The contents that are right now: one, or two when a change was not acknowledged."""
        changes = (self.change, self.change + 1) if self.unsure else (self.change,)
        return [content(run, self.number, change) for change in changes]


def content(run: str, number: int, change: int) -> dict[str, str]:
    """What order `number` of a run holds after its change number `change`."""
    cents = (number * 7919 + change * 104_729) % 10_000_000
    return {
        "reference": f"{run}-{number}",
        "customer": f"customer {number % 997}",
        "status": STATUSES[change % len(STATUSES)],
        "amount": Money(cents=cents, currency="").amount,
        "currency": _CURRENCIES[(number + change) % len(_CURRENCIES)],
    }


def differs(found: Mapping[str, object], allowed: Iterable[Mapping[str, str]]) -> str | None:
    """None when the answer has one of the allowed contents, else what differs from the first."""
    first: str | None = None
    for wanted in allowed:
        wrong = [f"{name} {found.get(name)!r}, expected {wanted[name]!r}" for name in wanted if
                 found.get(name) != wanted[name]]  # fmt: skip
        if not wrong:
            return None
        first = first or ", ".join(wrong)
    return first


def save(path: Path, run: str, orders: Iterable[Written]) -> None:
    """Write the ledger; replaces the file at once."""
    aside = path.with_suffix(".new")
    with aside.open("w", encoding="utf-8") as file:
        file.write(json.dumps({"run": run}) + "\n")
        for order in orders:
            file.write(f"[{order.number},{order.id},{order.change},{int(order.unsure or order.busy)}]\n")
    aside.replace(path)


def load(path: Path) -> tuple[str, dict[int, Written]]:
    """The run's name and its orders by the service's id. Raises OSError, ValueError."""
    with path.open(encoding="utf-8") as file:
        run = str(json.loads(next(file))["run"])
        orders: dict[int, Written] = {}
        for line in file:
            number, order_id, change, unsure = json.loads(line)
            orders[order_id] = Written(number, order_id, change, bool(unsure))
    return run, orders
