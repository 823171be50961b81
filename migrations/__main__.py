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

from migrations import arguments as command_line
from migrations import settings
from migrations.errors import Exit, MigrationError
from migrations.progress import tell
from migrations.stopping import Signals, StoppedError


def main(arguments: Sequence[str]) -> int:
    """Run one command and answer its exit code. 0 is never answered without the line of the result."""
    signals = Signals()
    as_json, command = command_line.JSON in arguments, "start"
    # With --json stdout holds one object and nothing else. The log of a task is watched while it runs: at once.
    progress = sys.stderr if as_json else sys.stdout

    def say(line: str) -> None:
        tell(line, progress)

    try:
        chosen = command_line.read(arguments)
        command = chosen.command
        result = _offline(command, say) if command in command_line.OFFLINE else _online(chosen, say)
        signals.ignore()
    except BaseException as error:
        if isinstance(error, SystemExit) and command == "start":  # --help
            raise
        number = signals.came
        signals.ignore()
        return _fail(_told(error, command) if number is None else StoppedError(number, command), as_json=as_json)
    tell(json.dumps({"result": result}), sys.stdout)
    return int(Exit.DONE)


def _told(error: BaseException, command: str) -> MigrationError:
    """What to say of it. An error that is not of ours is a defect, whatever it is: none of them ends as a success."""
    if isinstance(error, MigrationError):
        return error
    from migrations import server_errors  # brings psycopg: not before a wrong setting is told

    if (refused := server_errors.as_ours(error, command)) is not None:
        return refused
    # Where, and not what: the text of an error of the server may hold a row.
    for frame in traceback.format_tb(error.__traceback__):
        for line in frame.splitlines():
            tell(line, sys.stderr)
    return MigrationError(
        f"migrations: {command}: {type(error).__name__}, a defect of the command; look at the frames above; "
        "a transaction that was open is rolled back"
    )


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
    return COMMANDS[command](replace(found, through=chosen.through, needed=chosen.needed), say)


def _offline(command: str, say: Callable[[str], None]) -> dict[str, object]:
    from migrations.linting import offline

    return offline.sql(say) if command == "sql" else offline.lint_all(say)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
