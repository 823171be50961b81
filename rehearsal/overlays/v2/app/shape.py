"""How an order's money lies in the table: `amount_cents` and `currency`, in place of the text column `price`.

While the version before may still serve, the database keeps both in step (revision e0002). A row that was written
before the columns were there, and is not filled yet (b0001), is read from `price`.
"""

from __future__ import annotations

from typing import LiteralString

from app.orders import Money

COLUMNS: tuple[LiteralString, ...] = ("amount_cents", "currency", "price")


def to_columns(money: Money) -> dict[LiteralString, object]:
    """What is written for this money, by column."""
    return {"amount_cents": money.cents, "currency": money.currency}


def from_columns(amount_cents: int | None, currency: str | None, price: str) -> Money:
    """The money read back; the arguments are the values of COLUMNS in their order."""
    if amount_cents is not None and currency is not None:
        return Money(cents=amount_cents, currency=currency)
    amount, _, unit = price.partition(" ")
    return Money.parse(amount, unit)
