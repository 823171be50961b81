"""`python -m app`: one task of the orders service."""

from __future__ import annotations

import os
import sys

from app import server, settings


def main() -> int:
    """Serve until stopped; 2 when a setting is wrong."""
    try:
        found = settings.load(os.environ)
    except settings.SettingsError as error:
        print(f"app: {error}", file=sys.stderr)
        return 2
    server.serve(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
