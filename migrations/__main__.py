"""`python -m migrations roles|check|plan|expand|backfill|contract|adopt|history`: what a release runs in the image.

`sql` and `lint` need no database and no settings.

Progress goes to stdout a line at a time; the last line of a run that succeeded is `{"result": {...}}`. A run that
fails ends with one line on stderr and one of the exit codes of `errors.Exit`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace

from migrations import settings
from migrations.errors import Exit, MigrationError
from migrations.progress import tell

_ONLINE = ("roles", "check", "plan", "expand", "backfill", "contract", "history", "adopt")
_OFFLINE = ("sql", "lint")


def main(arguments: Sequence[str]) -> int:
    """Run one command and answer its exit code."""
    chosen = _arguments(arguments)
    # With --json stdout holds one object and nothing else. The log of a task is watched while it runs: at once.
    progress = sys.stderr if chosen.json else sys.stdout

    def say(line: str) -> None:
        tell(line, progress)

    try:
        result = _offline(chosen.command, say) if chosen.command in _OFFLINE else _online(chosen, say)
    except MigrationError as error:
        return _fail(error, as_json=chosen.json)
    except Exception as error:
        from migrations import server_errors  # brings psycopg: not before a wrong setting is told

        if (refused := server_errors.as_ours(error, chosen.command)) is not None:
            return _fail(refused, as_json=chosen.json)
        # Where, and not what: the text of an error of the server may hold a row.
        for line in traceback.format_tb(error.__traceback__):
            tell(line.rstrip(), sys.stderr)
        unexpected = (
            f"migrations: {chosen.command}: {type(error).__name__}, a defect of the command; look at the frames"
        )
        return _fail(
            MigrationError(f"{unexpected} above; a transaction that was open is rolled back"), as_json=chosen.json
        )
    tell(json.dumps({"result": result}), sys.stdout)
    return int(Exit.DONE)


def _fail(error: MigrationError, *, as_json: bool) -> int:
    if as_json:
        tell(json.dumps({"error": error.as_json()}), sys.stdout)
    else:
        tell(str(error), sys.stderr)
    return int(error.exit)


def _online(chosen: argparse.Namespace, say: Callable[[str], None]) -> dict[str, object]:
    # Settings before the rest: a wrong one is told without the second that SQLAlchemy and Alembic take to load.
    found = settings.load(os.environ)
    from migrations.commands import COMMANDS

    command = f"{chosen.command} --plan" if chosen.plan else chosen.command
    return COMMANDS[command](replace(found, through=chosen.through), say)


def _offline(command: str, say: Callable[[str], None]) -> dict[str, object]:
    from migrations.linting import offline

    return offline.sql(say) if command == "sql" else offline.lint_all(say)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m migrations", description="Move the schema of this image.")
    parser.add_argument("command", choices=(*_ONLINE, *_OFFLINE))
    parser.add_argument("--json", action="store_true", help="progress to stderr, one JSON object to stdout")
    parser.add_argument("--through", default="", metavar="REVISION", help="adopt: the last expand whose work is there")
    parser.add_argument("--plan", action="store_true", help="contract: what it would remove; changes nothing")
    chosen = parser.parse_args(arguments)
    if chosen.plan and chosen.command != "contract":
        parser.error(f"--plan: {chosen.command} has none, expected it with contract")
    return chosen


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
