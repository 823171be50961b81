"""Revisions that a test needs as they are, though the lint would refuse them: each gets its exceptions."""

import re
from pathlib import Path

from migrations.linting.lint import lint
from migrations.linting.rules import EXCEPTION
from migrations.tree import read_tree


def allow_all(tree: Path) -> Path:
    """Write `lint_exceptions` into each revision of the tree that needs them; answers the tree."""
    for file in (tree / "migrations").glob("*/*_test.py"):
        file.write_text(re.sub(r"lint_exceptions = .*\n", "", file.read_text()))
    for one in lint(read_tree(tree / "migrations")):
        rules = sorted({finding.rule for finding in one.errors} - {EXCEPTION})
        if rules and one.revision.file.name.endswith("_test.py"):
            line = f"lint_exceptions = {dict.fromkeys(rules, 'what the test is about')!r}\n"
            text = one.revision.file.read_text()
            one.revision.file.write_text(text.replace("\n\ndef upgrade", f"{line}\n\ndef upgrade", 1))
    return tree
