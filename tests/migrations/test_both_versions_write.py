"""While two versions serve, each reads what the other wrote. For every expand of every version, by the services
themselves over HTTP: rows from before it, rows written by the old version after it, and by the new one.
"""

import pytest

from tests.support.trees_on_disk import migrate, result_of, service

pytestmark = pytest.mark.slow

# (the version that serves, the one that is released over it)
PAIRS = [("v1", "v2"), ("v2", "v3")]
MONEY = [("0.00", "EUR"), ("0.05", "USD"), ("12.34", "GBP"), ("9999999999999.99", "JPY")]


def write(running, name):
    """One order of each amount; answers what must be read back."""
    made = []
    for amount, currency in MONEY:
        body = {"reference": name, "customer": "c", "amount": amount, "currency": currency}
        status, order, _ = running.request("POST", "/orders", body)
        assert status == 201, order
        made.append(order)
    return made


def change(running, orders):
    """Give each order the next amount; answers what must be read back."""
    changed = []
    for at, order in enumerate(orders):
        amount, currency = MONEY[(at + 1) % len(MONEY)]
        status, found, _ = running.request("PATCH", f"/orders/{order['id']}", {"amount": amount, "currency": currency})
        assert (status, found["amount"], found["currency"]) == (200, amount, currency)
        changed.append(found)
    return changed


def expect(running, orders):
    for order in orders:
        assert running.request("GET", f"/orders/{order['id']}")[1] == order
    listed = {order["id"]: order for order in running.request("GET", "/orders?limit=1000")[1]["orders"]}
    assert all(listed[order["id"]] == order for order in orders)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_each_reads_what_the_other_wrote(schema_trees, owner_environment, app_environment, old, new):
    result_of(migrate(schema_trees[old], owner_environment, "roles", old))
    result_of(migrate(schema_trees[old], owner_environment, "expand", old))
    with service(schema_trees[old], app_environment, old) as before:
        seeded = write(before, "before the expand")
        result_of(migrate(schema_trees[new], owner_environment, "expand", new))
        expect(before, seeded)
        late = write(before, "old, after the expand")
        with service(schema_trees[new], app_environment, new) as after:
            fresh = write(after, "new")
            for running in (before, after):
                assert running.request("GET", "/readyz")[0] == 200
                expect(running, seeded + late + fresh)
            # Each changes what the other wrote, there and back.
            for writer in (before, after, before):
                seeded, late, fresh = change(writer, seeded), change(writer, late), change(writer, fresh)
                for running in (before, after):
                    expect(running, seeded + late + fresh)
            # A change of something else leaves the money alone.
            for running in (before, after):
                status, found, _ = running.request("PATCH", f"/orders/{late[1]['id']}", {"status": "paid"})
                assert (status, found["amount"], found["currency"]) == (200, late[1]["amount"], late[1]["currency"])


def test_rows_that_are_not_filled_yet_are_read_by_the_new_version(
    schema_trees, owner_environment, app_environment, schema_server, schema
):
    result_of(migrate(schema_trees["v1"], owner_environment, "roles", "v1"))
    result_of(migrate(schema_trees["v2"], owner_environment, "expand", "v2"))
    with schema_server.connect(schema) as connection, service(schema_trees["v2"], app_environment, "v2") as after:
        made = write(after, "new")
        connection.execute("ALTER TABLE orders DISABLE TRIGGER ALL")
        connection.execute("UPDATE orders SET amount_cents = NULL, currency = NULL")
        connection.execute("ALTER TABLE orders ENABLE TRIGGER ALL")
        expect(after, made)


def test_after_the_contract_the_old_shape_is_gone_and_the_content_is_not(
    schema_trees, owner_environment, app_environment, schema_server, schema
):
    result_of(migrate(schema_trees["v1"], owner_environment, "roles", "v1"))
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    with service(schema_trees["v1"], app_environment, "v1") as oldest:
        kept = write(oldest, "by v1")
        result_of(migrate(schema_trees["v3"], owner_environment, "expand", "v3"))
        kept += write(oldest, "by v1, late")
    with service(schema_trees["v3"], app_environment, "v3") as newest:
        kept += write(newest, "by v3, before the contract")
        result_of(migrate(schema_trees["v3"], owner_environment, "contract", "v3"))
        expect(newest, kept)
        expect(newest, change(newest, kept))
        expect(newest, write(newest, "by v3"))
        with service(schema_trees["v2"], app_environment, "v2") as too_old:
            status, answer, _ = too_old.request("GET", "/readyz")
            assert status == 503
            assert "contract c0001, c0002 is applied" in answer["reason"]
    with schema_server.connect(schema) as connection:
        columns = connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'orders'"
        ).fetchall()
        triggers = connection.execute("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal").fetchone()
    assert ("price",) not in columns
    assert triggers == (0,)


def test_a_contract_refuses_before_its_expand(schema_trees, owner_environment):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    found = migrate(schema_trees["v3"], owner_environment, "contract", "v3")
    assert found.returncode == 9
    assert "contract c0001 needs e0003, which is not applied" in found.stderr
