"""How an order's money lies in the table: `amount_cents` and `currency`, and nothing else.

This version no longer mentions `price`, so it is the first that may bring the contract revisions that remove it.
"""

from __future__ import annotations

from typing import LiteralString

from app.orders import Money

COLUMNS: tuple[LiteralString, ...] = ("amount_cents", "currency")


def to_columns(money: Money) -> dict[LiteralString, object]:
    """What is written for this money, by column."""
    return {"amount_cents": money.cents, "currency": money.currency}


def from_columns(amount_cents: int, currency: str) -> Money:
    """The money read back; the arguments are the values of COLUMNS in their order."""
    return Money(cents=amount_cents, currency=currency)
