"""The report as files: JSON for machines, and beside it Markdown for a change request."""

from __future__ import annotations

import json
from pathlib import Path

from preview import markdown
from preview.release import Part


def write(report: Part, file: str) -> None:
    """Write `file` and the same name with `.md`. Raises OSError."""
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(markdown.render(report), encoding="utf-8")
