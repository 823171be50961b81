"""How an order's money lies in the table: one text column `price`, such as "12.34 EUR".

This file is what differs between the versions of the service; the store asks it for columns and values.
"""

from __future__ import annotations

from typing import LiteralString

from app.orders import Money

COLUMNS: tuple[LiteralString, ...] = ("price",)


def to_columns(money: Money) -> dict[LiteralString, object]:
    """What is written for this money, by column."""
    return {"price": f"{money.amount} {money.currency}"}


def from_columns(price: str) -> Money:
    """The money read back; the arguments are the values of COLUMNS in their order."""
    amount, _, currency = price.partition(" ")
    return Money.parse(amount, currency)
