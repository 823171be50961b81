"""Plans and examinations for tests of the report: v2 is to follow v1, which serves on blue."""

from datetime import UTC, datetime
from pathlib import Path

from migrations.linting.verdict import Finding, Waived
from preview import report
from preview.cost import Task
from preview.release import Asked
from preview.schema import Estimate, Lock, RevisionExamination, SchemaExamination, Statement

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
TREE = Path(__file__).parents[2] / "migrations"
FACTS = {
    "server": "17.5",
    "takenAt": "2026-11-25T09:00:00+00:00",
    "revisions": ["e0001"],
    "tables": {"orders": {"rows": 1_200_000, "bytes": 250_000_000}},
    "backfills": {"b0001": {"left": None, "finished": False}},
}
ALTER = Statement(
    number=1,
    sql="ALTER TABLE orders\n    ADD COLUMN amount_cents bigint,\n    ADD COLUMN currency text",
    transaction=1,
    locks=(Lock(table="orders", mode="ACCESS EXCLUSIVE"),),
    estimate=Estimate(low=0.01, high=0.02, basis="catalog only"),
)
CHECK = Statement(
    number=2,
    sql="ALTER TABLE orders ADD CONSTRAINT amount_known CHECK (amount_cents IS NOT NULL)",
    transaction=1,
    locks=(Lock(table="orders", mode="ACCESS EXCLUSIVE"), Lock(table="customers", mode="SHARE ROW EXCLUSIVE")),
    scans=("orders",),
    estimate=Estimate(low=0.4, high=1.6, basis="measured"),
)
FILL = Statement(number=1, sql="UPDATE orders SET currency = 'EUR' WHERE currency IS NULL", transaction=1)
DROP = Statement(
    number=1,
    sql="ALTER TABLE orders DROP COLUMN price",
    transaction=1,
    locks=(Lock(table="orders", mode="ACCESS EXCLUSIVE"),),
    estimate=Estimate(low=0.01, high=0.02, basis="catalog only"),
)


def revision(name, phase, *statements, **more):
    given = {"findings": (), "waived": (), **more}
    return RevisionExamination(
        revision=name, phase=phase, file=f"{name}_file.py", statements=tuple(statements), **given
    )


EXPAND = revision("e0002", "expand", ALTER, CHECK)
BACKFILL = revision("b0001", "backfill", FILL)
CONTRACT = revision("c0001", "contract", DROP, waived=(Waived(revision="c0001", rule="drop", reason="unused"),))


def finding(level="error"):
    return Finding(
        revision="e0002",
        phase="expand",
        file="e0002_file.py",
        rule="no-drop",
        level=level,
        statement=1,
        message="takes a column away",
        advice="do it in contract",
    )


def examined(*revisions, **more):
    return SchemaExamination(revisions=revisions, **{"measured": True, "server": "18.4", "seconds": 1.5, **more})


def asked(**more):
    given = {
        "action": "release",
        "version": "v2",
        "previous_version": "v1",
        "target": "green",
        "previous_color": "blue",
        "target_count": 2,
        "previous_count": 2,
        "live_weights": {"blue": 100, "green": 0},
        "steps": [{"blue": 90, "green": 10}, {"blue": 0, "green": 100}],
        "bake": 60,
        "previous": "warm",
        "on_failure": "rollback",
        "frozen": "",
        "lineage": ["v1", "v2"],
        "known": {"v1": [], "v2": []},
        "task": Task(region="eu-west-1", architecture="X86_64", cpu=256, memory=512),
        **more,
    }
    return Asked(**given)


def built(plan=None, *revisions, facts=FACTS, tree=TREE, notes=(), phases=report.PHASES, **more):
    """The report of this plan, with an examination that found these revisions."""
    schema = report.Schema(tree=tree, notes=notes, facts=facts, phases=phases)
    return report.build(plan or asked(), schema, lambda _tree, _facts: examined(*revisions, **more).as_json(), NOW)


def failing(error, plan=None, facts=FACTS):
    """The report where the examination raises."""

    def examine(_tree, _facts):
        raise error

    return report.build(plan or asked(), report.Schema(tree=TREE, notes=(), facts=facts), examine, NOW)


def phases(made):
    """The phases of a report, by name."""
    return {one["phase"]: one for one in made["schema"]["phases"]}
