"""Orders, written and read back through a service's own door."""

from typing import Any

from tests.support.trees_on_disk import RunningService

MONEY = [("0.00", "EUR"), ("0.05", "USD"), ("12.34", "GBP"), ("9999999999999.99", "JPY")]
Orders = list[dict[str, Any]]


def write(running: RunningService, name: str) -> Orders:
    """One order of each amount; answers what must be read back."""
    made = []
    for amount, currency in MONEY:
        body = {"reference": name, "customer": "c", "amount": amount, "currency": currency}
        status, order, _ = running.request("POST", "/orders", body)
        assert status == 201, order
        made.append(order)
    return made


def change(running: RunningService, orders: Orders) -> Orders:
    """Give each order the next amount; answers what must be read back."""
    changed = []
    for at, order in enumerate(orders):
        amount, currency = MONEY[(at + 1) % len(MONEY)]
        status, found, _ = running.request("PATCH", f"/orders/{order['id']}", {"amount": amount, "currency": currency})
        assert (status, found["amount"], found["currency"]) == (200, amount, currency)
        changed.append(found)
    return changed


def expect(running: RunningService, orders: Orders) -> None:
    """Each of them is read back as it was written, one by one and in the list."""
    for order in orders:
        assert running.request("GET", f"/orders/{order['id']}")[1] == order
    listed: dict[int, Any] = {}
    last = ""
    while page := running.request("GET", f"/orders?limit=1000{last}")[1]["orders"]:
        listed |= {order["id"]: order for order in page}
        last = f"&before={page[-1]['id']}"
    assert all(listed[order["id"]] == order for order in orders)
