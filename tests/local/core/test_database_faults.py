"""Locks, restarts and pauses of a database, as asked for."""

import psutil
import psycopg
import pytest

from local.errors import LocalError
from tests.support.embedded_rds import scalar
from tests.support.until import until

pytestmark = pytest.mark.slow


def test_a_lock_is_held_for_as_long_as_asked(rds, database):
    with rds.connect(database) as connection:
        connection.execute("CREATE TABLE locked AS SELECT 1 AS n")
        assert "locked of app is locked for 30 s" in rds.fault(
            identifier=database, kind="lock", table="locked", seconds=30
        )
        connection.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute("SELECT n FROM locked")
        rds.fault(identifier=database, kind="restart")  # the next test must not wait for the lock
        until(lambda: broken(connection))
    until(lambda: reachable(rds, database))
    with pytest.raises(LocalError, match="no database has a table nothing"):
        rds.fault(identifier=database, kind="lock", table="nothing", seconds=1)


@pytest.mark.parametrize("kind", ["restart", "crash"])
def test_a_restart_cuts_connections_and_keeps_what_was_committed(rds, database, kind):
    with rds.connect(database) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS survivor (cause text)")
        connection.execute("INSERT INTO survivor VALUES (%s)", [kind])
        rds.fault(identifier=database, kind=kind)
        until(lambda: broken(connection))
    until(lambda: reachable(rds, database))
    with rds.connect(database) as connection:
        assert connection.execute("SELECT 1 FROM survivor WHERE cause = %s", [kind]).fetchone()
    assert rds.describe(database)["DBInstanceStatus"] == "available"


def test_a_pause_stops_the_server_and_ends(rds, database):
    with rds.connect(database) as connection:
        backend = psutil.Process(scalar(connection, "SELECT pg_backend_pid()"))
        rds.fault(identifier=database, kind="pause", seconds=3)
        assert {backend.status(), backend.parent().status()} == {psutil.STATUS_STOPPED}
        assert scalar(connection, "SELECT 1") == 1  # answered when it goes on


def test_a_slow_server_still_answers(rds, database):
    with rds.connect(database) as connection:
        told = rds.fault(identifier=database, kind="slow", seconds=1, percent=80)
        assert told == "shared stands still 80 % of the time for 1 s"
        assert scalar(connection, "SELECT 1") == 1


def test_faults_that_make_no_sense_are_refused(rds, database):
    for wanted, message in (
        ({"identifier": "unknown", "kind": "pause"}, "no database 'unknown'; there is shared"),
        ({"identifier": database, "kind": "burn"}, "the kind is one of"),
        ({"identifier": database, "kind": "lock"}, "needs the name of a table"),
        ({"identifier": database, "kind": "pause", "seconds": -1}, "seconds is more than 0"),
        ({"identifier": database, "kind": "slow", "percent": "much"}, "percent is a number"),
    ):
        with pytest.raises(LocalError, match=message):
            rds.fault(**wanted)


def broken(connection):
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def reachable(rds, identifier):
    try:
        rds.connect(identifier).close()
    except psycopg.OperationalError:
        return False
    return True
