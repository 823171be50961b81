"""The arguments of the command. What is wrong with them is one error like any other, with its exit code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from migrations.errors import UsageError

ONLINE = ("roles", "check", "plan", "expand", "backfill", "contract", "history", "adopt")
OFFLINE = ("sql", "lint")
JSON = "--json"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"migrations: {message}; python -m migrations --help tells what there is; nothing was changed")


def read(arguments: Sequence[str]) -> argparse.Namespace:
    """Raises UsageError."""
    parser = _Parser(prog="python -m migrations", description="Move the schema of this image.", allow_abbrev=False)
    parser.add_argument("command", choices=(*ONLINE, *OFFLINE))
    parser.add_argument(JSON, action="store_true", help="progress to stderr, one JSON object to stdout")
    parser.add_argument("--through", default="", metavar="REVISION", help="adopt: the last expand whose work is there")
    parser.add_argument("--needed", action="store_true", help="backfill: only what this image needs before it serves")
    parser.add_argument("--plan", action="store_true", help="contract: what it would remove; changes nothing")
    chosen = parser.parse_args(arguments)
    if chosen.plan and chosen.command != "contract":
        parser.error(f"--plan: {chosen.command} has none, expected it with contract")
    if chosen.through and chosen.command != "adopt":
        parser.error(f"--through: {chosen.command} has none, expected it with adopt")
    if chosen.needed and chosen.command != "backfill":
        parser.error(f"--needed: {chosen.command} has none, expected it with backfill")
    return chosen
