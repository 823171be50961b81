"""Is every order that the service answered for still there, with its right content?

Asked through the load balancer, as any client would: page by page, newest first.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal import ledger

_PAGE = 1000


@dataclass(kw_only=True)
class Orders:
    """What was found."""

    expected: int = 0
    missing: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """True when nothing is missing or wrong."""
        return not self.missing and not self.wrong

    def example(self, text: str) -> None:
        """Keep the first few."""
        if len(self.examples) < 5:
            self.examples.append(text)


def orders(url: str, path: Path) -> Orders:
    """Compare what the service has with the ledger. Raises OSError, ValueError."""
    run, expected = ledger.load(path)
    found = Orders(expected=len(expected))
    for order in _stored(url):
        written = expected.pop(int(order["id"]), None)
        if written is None:
            continue  # an order whose answer was lost: counted as a lost request
        if wrong := ledger.differs(order, written.contents(run)):
            found.wrong += 1
            found.example(f"order {written.id}: {wrong}")
    found.missing = len(expected)
    for written in list(expected.values())[:5]:
        found.example(f"order {written.id} ({run}-{written.number}): not there")
    return found


def _stored(url: str) -> Iterator[dict[str, Any]]:
    before = ""
    while page := _page(f"{url}/orders?limit={_PAGE}{before}"):
        yield from page
        before = f"&before={page[-1]['id']}"


def _page(address: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310  the load balancer on loopback
        found: list[dict[str, Any]] = json.load(answer)["orders"]
    return found
