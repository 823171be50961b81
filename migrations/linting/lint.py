"""The lint: does each revision do only what its phase may do, in a way that nobody has to wait for?

Exceptions stand beside a revision, each with its reason; one that is not needed is itself an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from migrations.errors import LintRefusedError
from migrations.linting import own as lint_own
from migrations.linting import rules
from migrations.linting import squawk_rules as lint_squawk
from migrations.linting.own import Hit
from migrations.linting.sql import RevisionSql, render
from migrations.linting.verdict import Finding, Waived
from migrations.progress import one_line
from migrations.revision_file import FOLDERS, Revision
from migrations.tree import Tree


@dataclass(frozen=True, kw_only=True)
class Linted:
    """A revision with its SQL and what is said of it."""

    sql: RevisionSql
    findings: tuple[Finding, ...]
    waived: tuple[Waived, ...]

    @property
    def revision(self) -> Revision:
        """The revision."""
        return self.sql.revision

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What refuses it."""
        return tuple(finding for finding in self.findings if finding.level == "error")

    def as_json(self) -> dict[str, Any]:
        """For a report."""
        return {
            "revision": self.revision.revision,
            "phase": self.revision.phase,
            "file": _file(self.revision),
            "constants": {name: value for name, value in self.revision.settings.items() if name in _CONSTANTS},
            "statements": [statement.as_json() for statement in self.sql.statements],
            "unseen": self.sql.unseen,
            "findings": [finding.as_json() for finding in self.findings],
            "exceptions": [waived.as_json() for waived in self.waived],
        }


_REASON_LETTERS = 10
_CONSTANTS = (
    "assign",
    "depends_on",
    "down_revision",
    "key",
    "lint_exceptions",
    "lock_timeout",
    "needs",
    "needs_backfills",
    "outside_transaction",
    "statement_timeout",
    "table",
    "tables",
    "todo",
)


def lint(tree: Tree, todo: Sequence[Revision] | None = None) -> list[Linted]:
    """Lint these revisions, or all, phase by phase. Raises LintRefusedError where squawk does not run."""
    moved = [render(revision) for revision in (*tree.expand, *tree.contract)]
    whole = [*moved, *(render(revision) for revision in tree.backfill)]
    asked = {revision.revision for revision in (todo if todo is not None else tree.all())}
    found = lint_squawk.findings(moved, asked)
    return [_judge(sql, found.get(sql.revision.revision, [])) for sql in whole if sql.revision.revision in asked]


def require_clean(linted: Sequence[Linted]) -> None:
    """Raises LintRefusedError where one of them must not run."""
    errors = [finding for one in linted for finding in one.errors]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        first = errors[0]
        raise LintRefusedError(
            f"migrations: {first.phase} {first.revision} is refused by the lint: {first}{more}; mend the revision, or "
            f'allow it there with lint_exceptions = {{"{first.rule}": "the reason"}}; nothing was changed'
        )


def _judge(sql: RevisionSql, squawks: Sequence[Hit]) -> Linted:
    revision = sql.revision
    hits = {(hit.rule, hit.statement, hit.message): hit for hit in (*lint_own.hits(sql, squawks), *squawks)}
    fired = [hit for hit in hits.values() if rules.level(hit.rule, revision.phase) is not None]
    exceptions = _exceptions(revision)
    findings = [_finding(revision, hit) for hit in fired if hit.rule not in exceptions]
    findings += _wrong_exceptions(revision, {hit.rule for hit in fired})
    waived = [
        Waived(revision=revision.revision, rule=rule, reason=reason)
        for rule, reason in exceptions.items()
        if any(hit.rule == rule for hit in fired)
    ]
    findings.sort(key=lambda finding: (finding.level, finding.statement or 0, finding.rule))
    return Linted(sql=sql, findings=tuple(findings), waived=tuple(waived))


def _finding(revision: Revision, hit: Hit) -> Finding:
    return Finding(
        revision=revision.revision,
        phase=revision.phase,
        file=_file(revision),
        rule=hit.rule,
        level=rules.level(hit.rule, revision.phase) or "error",
        statement=hit.statement,
        message=one_line(hit.message.rstrip(".")),
        advice=rules.advice(hit.rule, revision.phase),
    )


def _exceptions(revision: Revision) -> dict[str, str]:
    """Those that are well-formed; the others are told by `_wrong_exceptions`."""
    found = revision.settings.get("lint_exceptions", {})
    if not isinstance(found, dict):
        return {}
    return {
        rule: one_line(" ".join(reason.split()))
        for rule, reason in found.items()
        if isinstance(rule, str) and rule in rules.ALL and isinstance(reason, str) and _says_why(reason)
    }


def _says_why(reason: str) -> bool:
    """Words, and not what is written to have written something."""
    words = reason.split()
    return len(words) > 1 and len(" ".join(words)) >= _REASON_LETTERS


def _wrong_exceptions(revision: Revision, fired: set[str]) -> Iterator[Finding]:
    found = revision.settings.get("lint_exceptions", {})
    good = _exceptions(revision)
    if not isinstance(found, dict):
        yield _finding(revision, _wrong('it is no dictionary, expected {"rule": "reason"}'))
        return
    for rule in found:
        if not isinstance(rule, str) or rule not in rules.ALL:
            yield _finding(revision, _wrong(f"there is no rule {rule!r}"))
        elif rule not in good:
            yield _finding(revision, _wrong(f"the exception from {rule} has no reason: {_reason_found(found[rule])}"))
        elif rule not in fired:
            yield _finding(revision, _wrong(f"the exception from {rule} is not needed: the rule does not fire"))


def _reason_found(reason: object) -> str:
    found = "an empty text" if isinstance(reason, str) and not reason.strip() else f"found {reason!r}"
    return f"{found}, expected words that say why it is safe here, at least two and {_REASON_LETTERS} letters"


def _wrong(message: str) -> Hit:
    return Hit(rule=rules.EXCEPTION, statement=None, message=message)


def _file(revision: Revision) -> str:
    return f"{FOLDERS[revision.phase]}/{revision.file.name}"
