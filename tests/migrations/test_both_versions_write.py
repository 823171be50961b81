"""While two versions serve, each reads what the other wrote. For every expand of every version, by the services
themselves over HTTP: rows from before it, rows written by the old version after it, and by the new one.
"""

import itertools

import pytest

from rehearsal.trees import RELEASES
from tests.migrations.orders_over_http import change, expect, write
from tests.support.trees_on_disk import migrate, result_of, service

pytestmark = pytest.mark.slow

# (the version that serves, the one that is released over it)
PAIRS = list(itertools.pairwise(RELEASES))


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
        for phase in ("backfill", "contract"):
            result_of(migrate(schema_trees["v3"], owner_environment, phase, "v3"))
        expect(newest, kept)
        expect(newest, change(newest, kept))
        expect(newest, write(newest, "by v3"))
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
    assert found.returncode == 10
    assert "contract c0001 needs e0002, which is not applied" in found.stderr
