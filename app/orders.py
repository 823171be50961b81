"""What an order is, and what a client may send: no SQL and no HTTP here.

The shape that clients see never changes between versions; how it lies in the table does (`shape.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

STATUSES = ("new", "paid", "shipped", "canceled")
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,12})\.[0-9]{2}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_TEXT_LIMIT = 200


class InvalidOrderError(ValueError):
    """What a client sent is not an order; the text names the field, what was found and what is expected."""


@dataclass(frozen=True, kw_only=True)
class Money:
    """An amount in the smallest unit of a currency with two decimals."""

    cents: int
    currency: str  # ISO 4217

    @classmethod
    def parse(cls, amount: object, currency: object) -> Self:
        """Money from `"12.34"` and `"EUR"`. Raises InvalidOrderError."""
        if not isinstance(amount, str) or not _AMOUNT.fullmatch(amount):
            raise InvalidOrderError(f'amount: found {_short(amount)}, expected text with two decimals such as "12.34"')
        if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
            raise InvalidOrderError(f'currency: found {_short(currency)}, expected three capital letters such as "EUR"')
        return cls(cents=int(amount.replace(".", "")), currency=currency)

    @property
    def amount(self) -> str:
        """The amount as clients see it, `"12.34"`."""
        return f"{self.cents // 100}.{self.cents % 100:02d}"


@dataclass(frozen=True, kw_only=True)
class NewOrder:
    """A checked request for a new order."""

    reference: str
    customer: str
    money: Money
    test: bool = False


@dataclass(frozen=True, kw_only=True)
class Change:
    """A checked change; None leaves the field as it is."""

    status: str | None = None
    money: Money | None = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """A stored order."""

    id: int
    reference: str
    customer: str
    status: str
    money: Money
    test: bool
    created_at: datetime
    updated_at: datetime

    def as_json(self) -> dict[str, object]:
        """The order as clients see it."""
        return {
            "id": self.id,
            "reference": self.reference,
            "customer": self.customer,
            "status": self.status,
            "amount": self.money.amount,
            "currency": self.money.currency,
            "test": self.test,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }


def new_order(body: object) -> NewOrder:
    """A new order from a request's JSON. Raises InvalidOrderError."""
    fields = _object(body, {"reference", "customer", "amount", "currency", "test"})
    test = fields.get("test", False)
    if not isinstance(test, bool):
        raise InvalidOrderError(f"test: found {_short(test)}, expected true or false")
    return NewOrder(
        reference=_text(fields, "reference"),
        customer=_text(fields, "customer"),
        money=Money.parse(fields.get("amount"), fields.get("currency")),
        test=test,
    )


def change(body: object) -> Change:
    """A change of an order from a request's JSON. Raises InvalidOrderError."""
    fields = _object(body, {"status", "amount", "currency"})
    if not fields:
        raise InvalidOrderError("body: found no field, expected status, or amount with currency")
    status = fields.get("status")
    if status is not None and status not in STATUSES:
        raise InvalidOrderError(f"status: found {_short(status)}, expected one of {', '.join(STATUSES)}")
    money = None
    if "amount" in fields or "currency" in fields:  # one without the other would change the worth silently
        money = Money.parse(fields.get("amount"), fields.get("currency"))
    return Change(status=status, money=money)


def _object(body: object, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise InvalidOrderError(f"body: found {_short(body)}, expected a JSON object")
    if unknown := sorted(set(body) - known):
        raise InvalidOrderError(f"{unknown[0][:40]}: unknown field, expected some of {', '.join(sorted(known))}")
    return body


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= _TEXT_LIMIT or "\0" in value:
        raise InvalidOrderError(f"{name}: found {_short(value)}, expected text of 1 to {_TEXT_LIMIT} characters")
    return value


def _short(value: object) -> str:
    found = repr(value)
    return found if len(found) <= 60 else found[:57] + "..."
