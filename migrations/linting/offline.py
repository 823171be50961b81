"""The commands that need neither settings nor a database: the SQL of the revisions, and the lint's word on it."""

from __future__ import annotations

from migrations.database import Say
from migrations.errors import LintRefusedError
from migrations.linting.lint import Linted, lint
from migrations.tree import read_tree


def sql(say: Say) -> dict[str, object]:
    """Each revision with its SQL, its constants and the lint's findings. Raises BadTreeError, LintRefusedError."""
    linted = lint(read_tree())
    for one in linted:
        show(one, say)
    return {
        "command": "sql",
        "revisions": [one.as_json() for one in linted],
        "refused": [one.revision.revision for one in linted if one.errors],
    }


def lint_all(say: Say) -> dict[str, object]:
    """Lint every revision. Raises BadTreeError, and LintRefusedError where one would be refused."""
    linted = lint(read_tree())
    for line in told(linted):
        say(line)
    if refused := [one for one in linted if one.errors]:
        number = sum(len(one.errors) for one in refused)
        raise LintRefusedError(
            f"migrations: lint: {number} error{'s' * (number > 1)} in "
            f"{', '.join(one.revision.file.name for one in refused)}; mend the revision, or allow it there with "
            'lint_exceptions = {"rule": "the reason"}'
        )
    return {"command": "lint", "revisions": [one.revision.revision for one in linted]}


def told(linted: list[Linted]) -> list[str]:
    """Findings and exceptions, a line each."""
    lines = [f"lint: {finding}" for one in linted for finding in one.findings]
    allowed = [(one.revision.file.name, waived) for one in linted for waived in one.waived]
    return lines + [f"lint: {file}: {waived.rule} is allowed: {waived.reason}" for file, waived in allowed]


def show(one: Linted, say: Say) -> None:
    """A revision's SQL and what is said of it, for people."""
    say(f"-- {one.revision.phase} {one.revision.revision} ({one.revision.file.name})")
    at: int | None = None
    for statement in one.sql.statements:
        if statement.transaction != at:
            say("-- outside of a transaction" if statement.transaction is None else "-- in a transaction")
            at = statement.transaction
        for line in f"{statement.sql};".expandtabs(4).splitlines():
            say(line)
    for line in told([one]):
        say(f"-- {line}")
