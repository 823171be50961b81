"""What a revision may write for its limits. One rule for the reading of the tree and for the run that sets them.

Nothing here needs a database, or anything that does: the service reads the tree at its start.
"""

from __future__ import annotations

import re

_TIME = re.compile(r"([1-9][0-9]{0,9})(ms|s|min)")
_MILLISECONDS = {"ms": 1, "s": 1000, "min": 60_000}
_LONGEST = 2_147_483_647  # milliseconds: PostgreSQL takes no more
TIME_EXPECTED = (
    'a whole number with ms, s or min, from "1ms" to "35791min" (the most that PostgreSQL takes), such as "100ms", '
    '"30s" or "5min"'
)
# Weakest first, as PostgreSQL's documentation has them.
MODES = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
MODE_EXPECTED = f"one of {', '.join(MODES)}"
# As `to_regclass` splits it; it raises an error for anything else.
_PART = r'(?:"(?:[^"]|"")+"|[^\s".][^\s.]*)'
_NAME = re.compile(rf"\s*{_PART}(?:\s*\.\s*{_PART}){{0,2}}\s*")
TABLES_EXPECTED = 'a tuple of names, such as ("orders",) or ("sales.orders",)'


def seconds(value: object) -> float | None:
    """A time as a revision writes it; None where it is none that can be set."""
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    milliseconds = int(found.group(1)) * _MILLISECONDS[found.group(2)]
    return milliseconds / 1000 if milliseconds <= _LONGEST else None


def is_mode(value: object) -> bool:
    """Is it the name of a table's lock?"""
    return isinstance(value, str) and value in MODES


def are_tables(value: object) -> bool:
    """Are they names that the server can look up?"""
    return isinstance(value, tuple) and all(isinstance(one, str) and _NAME.fullmatch(one) for one in value)
