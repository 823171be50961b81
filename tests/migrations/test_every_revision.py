"""Every revision of every release, alone, on tables with rows, while the services that may run then read and write.

The cases come from the trees and from the checkout itself: a new revision is one more case. What must hold for each:

* what was written before it, during it and after it is read back as it was written, by each version that may serve;
* while it runs, the version that serves then gets no error;
* the tables it finds have rows. One that passes on empty tables only is found here and not in production.

Before a revision of the checkout v1 serves: the same code, on the schema that the example's versions build on.
"""

import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from rehearsal.trees import CHECKOUT
from tests.migrations.orders_over_http import expect, write
from tests.support.revisions_apart import LINES, before, cases, cut, in_order, places, read_line
from tests.support.trees_on_disk import migrate, result_of, service

pytestmark = pytest.mark.slow

PHASES = ("expand", "backfill", "contract")  # as a release runs them


def pytest_generate_tests(metafunc):
    """One case for each revision that is there now."""
    if "place" in metafunc.fixturenames:
        with tempfile.TemporaryDirectory() as folder:
            found = cases(Path(folder))
        metafunc.parametrize("place", found, ids=[place.id for place in found])


class Writer:
    """Writes orders one after the other until told to stop; keeps what was answered."""

    def __init__(self, running):
        self.running, self.orders, self.failure = running, [], None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self):
        try:
            while not self._stop.is_set():
                self.orders += write(self.running, "while it runs")
        except Exception as failure:  # kept for the test to raise: a thread's error is lost otherwise
            self.failure = failure

    def good(self, least=1):
        """The orders so far, at least one of them. Raises what the thread met."""
        deadline = time.monotonic() + 30
        while self.failure is None and len(self.orders) < least:
            assert time.monotonic() < deadline, "the writer wrote nothing"
            self._stop.wait(0.01)
        if self.failure is not None:
            raise self.failure
        return list(self.orders)


def run_phases(tree, environment, version, phases):
    """What a release runs, or a part of it."""
    for phase in phases:
        result_of(migrate(tree, environment, phase, version))


def empty_tables(connection):
    """Tables of the service without a row."""
    names = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND relname NOT LIKE 'schema\\_%' AND relname <> 'alembic_version'"
    ).fetchall()
    return [name for (name,) in names if connection.execute(f'SELECT 1 FROM "{name}"').fetchone() is None]  # noqa: S608


@contextmanager
def telling_who_served(place):
    """The earlier code of a checkout is not at hand: what to do where the one that is needs the revision."""
    try:
        yield
    except AssertionError as error:
        if place.release == CHECKOUT:
            error.add_note(
                f"before {place.revision} served v1: this checkout's code, without the revision. Code that needs it is "
                "tested when the code from before is kept as rehearsal/overlays/v1 (docs/rehearsal.md, Versions)"
            )
        raise


def play(place, trees, tmp_path, owner, app, server, database):
    """Apply the one revision under use; raises where something does not hold."""
    whole = trees[place.release]
    only = cut(whole, place.revision, tmp_path / "only")
    result_of(migrate(whole, owner, "roles", place.before or place.release))
    phases = PHASES[: PHASES.index(place.phase) + 1]
    if place.before is None:
        run_phases(only, owner, place.release, phases)
        return  # nothing served before it
    earlier = cut(whole, before(whole, place.revision), tmp_path / "earlier")
    run_phases(earlier, owner, place.before, [phase for phase in phases if phase != "contract"])
    # Old code serves while something is added; after the old color is gone, only the new code does.
    serving = place.before if place.phase != "contract" else place.release
    with service(trees[place.before], app, place.before) as oldest, telling_who_served(place):
        kept = write(oldest, "by the old version, before")
    if place.phase == "contract":
        run_phases(earlier, owner, place.release, ["contract"])
    with server.connect(database) as connection:
        assert empty_tables(connection) == [], "no row in it before the revision: let the services write some"
    with service(trees[serving], app, serving) as old:
        kept += write(old, "before")
        with Writer(old) as writer:
            writer.good()
            result_of(migrate(only, owner, place.phase, version=place.release))
            writer.good(len(writer.orders) + 1)
        kept += writer.good()
        kept += write(old, "after")
        expect(old, kept)
        if place.phase != "contract" and place.revision in last_expand_on(whole):
            with service(whole, app, place.release) as new:
                assert new.request("GET", "/readyz")[0] == 200
                expect(new, kept)
                kept += write(new, "by the new version")
                expect(old, kept)
                expect(new, kept)


def last_expand_on(tree):
    """From here on the new code may run: the last expand, and every backfill."""
    ordered = in_order(tree)
    expands = [each.revision for each in ordered if each.phase == "expand"]
    return {*expands[-1:], *(each.revision for each in ordered if each.phase == "backfill")}


@pytest.mark.parametrize("releases", LINES, ids=[line[-1] for line in LINES])
def test_no_case_is_missing_because_a_tree_makes_no_sense(releases, tmp_path):
    assert read_line(releases, tmp_path)


def test_on_tables_with_rows_and_while_it_is_used(
    place, schema_trees, tmp_path, owner_environment, app_environment, schema_server, schema
):
    play(place, schema_trees, tmp_path, owner_environment, app_environment, schema_server, schema)


def test_a_revision_that_only_passes_on_empty_tables_is_found(
    schema_trees, tmp_path, owner_environment, app_environment, schema_server, schema
):
    bad = [place for place in places(schema_trees, ("v1", "v2", "broken-migration")) if place.revision == "e0004"]
    assert len(bad) == 1
    with pytest.raises(AssertionError, match="e0004"):
        play(bad[0], schema_trees, tmp_path, owner_environment, app_environment, schema_server, schema)
