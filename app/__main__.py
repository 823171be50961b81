"""`python -m app`: one task of the orders service."""

from __future__ import annotations

import os
import sys

from app import server, settings, start
from migrations.errors import BadTreeError, Exit
from migrations.tree import read_tree


def main() -> int:
    """Serve until stopped; 2 when a setting is wrong, 3 when this image cannot serve the database, 9 for a bad tree."""
    try:
        found = settings.load(os.environ)
        reason = start.reason_to_end(found, read_tree())
    except settings.SettingsError as error:
        return _end(str(error), 2)
    except BadTreeError as error:
        return _end(str(error), int(error.exit))
    if reason:
        return _end(reason, int(Exit.NOT_SERVABLE))
    server.serve(found)
    return 0


def _end(line: str, code: int) -> int:
    print(f"app: {line}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
