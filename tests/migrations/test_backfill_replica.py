"""A backfill waits for a replica that lags: a real one, a standby that applies what it gets later than it could."""

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.rds import binaries
from preview import scratch
from tests.support.backfilling import TABLE
from tests.support.trees_on_disk import result_of

pytestmark = pytest.mark.slow

ROWS = 6_000
SLOWLY = {
    "MIGRATION_BACKFILL_BATCH_ROWS_MOST": "20",
    "MIGRATION_BACKFILL_BATCH_ROWS_LEAST": "20",
    "MIGRATION_BACKFILL_SHARE_PERCENT": "10",
    "MIGRATION_BACKFILL_REPLICA_LAG_SECONDS": "1",
}
HELD = "holding back: replica standby is "


@contextmanager
def standby(primary, delay):
    """A replica of the server that applies each commit so many seconds late."""
    user, root = binaries.unprivileged(), Path(tempfile.mkdtemp(prefix="bluegreen-standby-"))
    places = binaries.Places(root / "place")
    other = user.uid != os.getuid()
    who = {"user": user.uid, "group": user.gid, "extra_groups": []} if other else {}
    try:
        os.chown(root, user.uid, user.gid)
        programs = places.programs(binaries.distributions()[0], user)
        source = f"host=127.0.0.1 port={primary.port} user=postgres application_name=standby"
        subprocess.run(
            [programs / "pg_basebackup", "-D", root / "data", "-d", source, "-R", "-X", "stream", "-c", "fast"],
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PGPASSWORD": primary.password}, check=True, **who,
        )  # fmt: skip
        copy = scratch.ScratchServer(scratch._free_port(), primary.password)
        with (root / "data" / "postgresql.conf").open("a") as file:
            file.write(f"port={copy.port}\nrecovery_min_apply_delay='{delay}s'\n")
        with scratch._running(programs, root, copy, user):
            yield copy
    finally:
        places.remove()
        shutil.rmtree(root, ignore_errors=True)


def test_a_replica_that_lags_stops_it_and_when_it_has_caught_up_it_goes_on(filling, schema_server):
    filling.prepare(TABLE.format(kind="int"))
    filling.connection.execute("INSERT INTO items (id, old) SELECT n, n FROM generate_series(1, %s) AS n", (ROWS,))
    with standby(schema_server, 3) as replica:
        filling.until(lambda: filling.one("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")[0])
        process = filling.start(**SLOWLY)
        said = next(line for line in iter(process.stdout.readline, "") if "holding back" in line)
        assert HELD in said
        assert "s behind, expected at most 1 s" in said
        assert filling.rows_done() < ROWS
        with replica.connect("postgres") as there:
            there.execute("ALTER SYSTEM SET recovery_min_apply_delay = 0")
            there.execute("SELECT pg_reload_conf()")
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        assert filling.rows_done() == ROWS


def test_twin_with_the_limit_off_it_leaves_the_replica_behind(filling, schema_server):
    filling.prepare(TABLE.format(kind="int"))
    filling.connection.execute("INSERT INTO items (id, old) SELECT n, n FROM generate_series(1, %s) AS n", (ROWS,))
    with standby(schema_server, 60) as replica:
        filling.until(lambda: filling.one("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")[0])
        run = filling.run(MIGRATION_BACKFILL_REPLICA_LAG_SECONDS="0")
        assert result_of(run)["backfills"]["b0001"]["heldBackSeconds"] == 0
        with replica.connect(filling.connection.info.dbname) as there:
            assert there.execute("SELECT count(*) FROM items WHERE filled IS NOT NULL").fetchone() == (0,)
