"""Examines what a release would do to the schema: lints the pending revisions, runs them on a scratch PostgreSQL.

`python -m preview.examine --tree FOLDER [--facts FILE]` prints the examination as JSON.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from migrations import facts as live_facts
from migrations import on_record
from migrations.backfilling.declaration import Declaration
from migrations.errors import BadTreeError, LintRefusedError
from migrations.linting.lint import Linted, lint
from migrations.revision_file import FOLDERS, Revision
from migrations.told import without_rows
from migrations.tree import Tree, read_tree
from preview import estimate, measure, observe
from preview.measure import Ran, Run
from preview.schema import Estimate, RevisionExamination, SchemaExamination, Statement
from preview.scratch import Connection, NoScratchError, ScratchServer, scratch_server

Connect = Callable[[], Connection]
# What the structure alone decides: syntax, a column that is not there, a column or a table that is there already, types
# that don't go together. Not among them is what the scratch server may lack and the live one has: tables of other
# schemas and servers, functions, types, roles.
SURE = frozenset({"42601", "42703", "42701", "42P07", "42804"})
STOPS = (signal.SIGTERM, signal.SIGINT)


def examine(folder: Path, facts: Mapping[str, Any] | None) -> SchemaExamination:
    """What the revisions that are not in the facts would do. Raises BadTreeError, LintRefusedError.

    `folder` is a version's `migrations`; `facts` are those of the last release's result, None or empty for a database
    that is taken to be empty.
    """
    started = time.monotonic()
    facts = facts or {}
    tree = read_tree(folder)
    applied = on_record.revisions(facts, tree)
    todo = [revision for revision in tree.all() if revision.revision not in applied]
    todo.sort(key=lambda revision: ("expand", "backfill", "contract").index(revision.phase))
    linted = {one.revision.revision: one for one in lint(tree, todo)} if todo else {}
    measured = _Measured()
    if todo:
        try:
            measured = _measure(tree, todo, applied, facts)
        except NoScratchError as error:
            measured = _Measured(reason=str(error))
    revisions = [_examination(revision, linted.get(revision.revision), measured) for revision in todo]
    return SchemaExamination(
        revisions=tuple(revisions),
        measured=bool(measured.runs),
        reason=measured.reason,
        notes=tuple(measured.notes),
        server=measured.server,
        seconds=time.monotonic() - started,
    )


@dataclass(kw_only=True)
class _Measured:
    """What the scratch server showed."""

    runs: Mapping[str, Run] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    live: Mapping[str, estimate.Size] = field(default_factory=dict)
    rates: estimate.Rates | None = None
    reason: str = ""
    server: str = ""
    fails: str = ""  # the first revision that did not run, where the structure on record alone decides that


def _measure(tree: Tree, todo: Sequence[Revision], applied: Sequence[str], facts: Mapping[str, Any]) -> _Measured:
    found = _Measured()
    wanted = _major(facts)
    with scratch_server(wanted) as server, server.database() as name:
        found.server = server.version
        if wanted and wanted != _major({"server": server.version}):
            found.notes.append(
                f"the live server is PostgreSQL {facts['server']}; measured on {server.version}, as no other is here"
            )
        connect = partial(server.connect, name)
        differences = list(_structure(connect, tree, applied, facts))
        found.notes += differences
        found.live = estimate.sizes(facts)
        found.runs = {revision.revision: _run(connect, revision) for revision in todo}
        if not differences:
            found.fails = _first_to_fail(found.runs)
        found.rates = _rates(server, name, found)
    return found


def _structure(connect: Connect, tree: Tree, applied: Sequence[str], facts: Mapping[str, Any]) -> Iterator[str]:
    """Lay the live structure: the facts' own DDL, else what the applied revisions make; says what is not as live."""
    if packed := facts.get("structure"):
        try:
            with connect() as connection:
                connection.execute(live_facts.unpacked(str(packed)).encode())
        except (psycopg.Error, ValueError) as error:
            yield f"the live structure does not load ({without_rows(error)}): the applied revisions were run instead"
        else:
            return
    elif applied:
        yield "the live structure is not on record: the applied revisions were run instead"
    known = {revision.revision: revision for revision in (*tree.expand, *tree.contract)}
    backfills = tree.known("backfill")
    with connect() as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    for name in applied:
        if name in known:
            if problem := measure.apply(connect, known[name]):
                yield f"{name}, which is applied, did not run on the scratch server: {problem}"
        elif name not in backfills:
            yield f"{name} is applied and not in this version: what it did is not in the structure measured on"


def _run(connect: Connect, revision: Revision) -> Run:
    return _fill(connect, revision) if revision.phase == "backfill" else measure.measure(connect, revision)


def _first_to_fail(runs: Mapping[str, Run]) -> str:
    """Of those in order. What comes behind one that did not run lacks what that was to make, and says nothing."""
    name, run = next(((name, run) for name, run in runs.items() if run.problem), ("", Run()))
    return name if run.state in SURE else ""


def _fill(connect: Connect, revision: Revision) -> Run:
    """A backfill's statement, once, on no rows. It goes by the key, whatever the plan of an empty table says."""
    declared = Declaration.of(revision)
    statement = sql.SQL("UPDATE {} SET {} WHERE {}").format(declared.table_sql, declared.assign_sql, declared.todo_sql)
    ran = Ran(sql=statement.as_string(), outside=False)
    try:
        with connect() as connection, connection.transaction():
            there = observe.Tables.of(connection)
            connection.execute(statement)
            held = observe.held(connection, connection.info.backend_pid)
            ran.seen = observe.Seen(locks=observe.strongest(held, there))
    except psycopg.Error as error:
        problem = f"{type(error).__name__}: {without_rows(error)}"
        return Run(statements=[ran], problem=problem, state=error.sqlstate or "")
    return Run(statements=[ran])


def _rates(server: ScratchServer, name: str, found: _Measured) -> estimate.Rates | None:
    """Only where a statement reads or writes a table of known size: it takes about a second."""
    touched = {
        table
        for run in found.runs.values()
        for ran in run.statements
        if ran.seen
        for table in (*ran.seen.rewrites, *ran.seen.scans)
    }
    known = [found.live[table] for table in touched if table in found.live]
    if not known:
        return None
    biggest = max(known, key=lambda size: size.bytes)
    with server.connect(name) as connection:
        return estimate.calibrate(connection, biggest.width, server.version)


def _examination(revision: Revision, linted: Linted | None, measured: _Measured) -> RevisionExamination:
    run = measured.runs.get(revision.revision)
    statements = _statements(linted, run, measured)
    reasons = [linted.sql.unseen if linted else "", run.problem if run else ""]
    declared = revision.settings.get("tables", ())
    seen = {
        lock.table for statement in statements for lock in statement.locks or () if lock.mode in observe.STOPS_WRITERS
    }
    return RevisionExamination(
        revision=revision.revision,
        phase=revision.phase,
        file=f"{FOLDERS[revision.phase]}/{revision.file.name}",
        statements=tuple(statements),
        findings=linted.findings if linted else (),
        waived=linted.waived if linted else (),
        undeclared=tuple(sorted(seen - set(declared if isinstance(declared, tuple) else ()))),
        reason="; ".join(reason for reason in reasons if reason),
        fails=revision.revision == measured.fails,
    )


def _statements(linted: Linted | None, run: Run | None, measured: _Measured) -> list[Statement]:
    """Those that were run, in the words of the offline SQL where that is the same; else the offline SQL."""
    offline = list(linted.sql.statements) if linted else []
    if run is None:
        return [Statement(number=one.number, sql=one.sql, transaction=one.transaction) for one in offline]
    same = len(offline) == len(run.statements)
    found = []
    for number, ran in enumerate(run.statements, 1):
        plain = offline[number - 1] if same else None
        inside = plain.transaction if plain else None if ran.outside else 1
        found.append(
            Statement(
                number=number,
                sql=plain.sql if plain else ran.sql,
                transaction=inside,
                locks=ran.seen.locks if ran.seen else None,
                rewrites=ran.seen.rewrites if ran.seen else (),
                scans=ran.seen.scans if ran.seen else (),
                estimate=_estimate(linted, ran, measured),
            )
        )
    return found


def _estimate(linted: Linted | None, ran: Ran, measured: _Measured) -> Estimate | None:
    """None for a backfill: how fast that goes is a matter of the load, and its batches lock a moment each."""
    if linted is None or linted.revision.phase == "backfill" or ran.seen is None:
        return None
    return estimate.estimate(ran.sql, ran.seen, measured.live, measured.rates)


def _major(facts: Mapping[str, Any]) -> int | None:
    head = str(facts.get("server") or "").split(".")[0]
    return int(head) if head.isdigit() else None


def _stopped(*_: object) -> None:
    """The scratch server is stopped and its folder removed; a second signal does not stop that."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    """Print the examination of a tree."""
    parser = argparse.ArgumentParser(prog="python -m preview.examine", description="What revisions do to the schema.")
    parser.add_argument("--tree", type=Path, required=True, help="the folder migrations of a version")
    parser.add_argument("--facts", type=Path, help="a file with the facts of the last release")
    chosen = parser.parse_args(arguments)
    for number in STOPS:  # whoever started this process may have had interrupts ignored
        signal.signal(number, _stopped)
    facts = json.loads(chosen.facts.read_text(encoding="utf-8")) if chosen.facts else None
    try:
        found = examine(chosen.tree, facts)
    except (BadTreeError, LintRefusedError) as error:
        sys.stderr.write(f"{error}\n")
        return int(error.exit)
    sys.stdout.write(json.dumps(found.as_json(), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
