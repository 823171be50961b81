"""The command line of the embedded AWS: `python -m local start|stop|status|env|logs|faults`."""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque

from local import lifecycle
from local.errors import LocalError
from local.faults import KINDS
from local.folder import Folder

FAILED, NOT_RUNNING = 1, 3


def main(arguments: list[str]) -> int:
    """Run one command; the exit code: 0 done, 1 refused or failed, 2 wrong usage, 3 (status) not running."""
    options = _parser().parse_args(arguments)
    try:
        folder = Folder.from_environment()
        return int(options.run(folder, options))
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return FAILED


def _say(line: str) -> None:
    print(line, flush=True)


def _start(folder: Folder, options: argparse.Namespace) -> int:
    control = lifecycle.start(folder, options.port, _say)
    _say(f"{control['endpoint']}, region {control['region']}, account {control['account']}")
    _say(f'point any AWS client and Pulumi at it:  eval "$(python -m local env)"    (or source {folder.root / "env"})')
    _say("its state lives as long as it runs: `make local-stop` ends it and removes everything")
    return 0


def _stop(folder: Folder, _: argparse.Namespace) -> int:
    lifecycle.stop(folder, _say)
    return 0


def _status(folder: Folder, options: argparse.Namespace) -> int:
    status = lifecycle.status(folder)
    if options.json:
        print(json.dumps(status, indent=2))
    elif not status["running"]:
        print("starting" if status["starting"] else "not running")
    else:
        print(f"running at {status['endpoint']} since {status['started_at']} (pid {status['pid']})")
        for kind in ("services", "tasks", "load_balancers", "databases"):
            for one in status[kind]:
                print(f"  {kind.removesuffix('s').replace('_', ' ')}: " + ", ".join(f"{k} {v}" for k, v in one.items()))
    return 0 if status["running"] else NOT_RUNNING


def _env(folder: Folder, _: argparse.Namespace) -> int:
    print(folder.exports(lifecycle.endpoint(folder)), end="")
    return 0


def _logs(folder: Folder, options: argparse.Namespace) -> int:
    file = folder.root / "log" / f"{options.name}.log"
    if not file.is_file():
        known = sorted(path.stem for path in (folder.root / "log").glob("*.log"))
        raise LocalError(f"no log {file}; there is {', '.join(known) or 'none: the embedded AWS has not been started'}")
    with file.open(errors="replace") as lines:
        print("".join(deque(lines, options.lines)), end="")
    return 0


def _faults_list(folder: Folder, _: argparse.Namespace) -> int:
    print(json.dumps(lifecycle.ask(lifecycle.endpoint(folder), "GET", "faults")["faults"], indent=2))
    return 0


def _faults_add(folder: Folder, options: argparse.Namespace) -> int:
    given = ("service", "action", "kind", "times", "skip", "code", "message", "status", "seconds")
    wanted = {name: getattr(options, name) for name in given if getattr(options, name) is not None}
    answer = lifecycle.ask(lifecycle.endpoint(folder), "POST", "faults", wanted)
    print(f"fault {answer['id']} waits for {options.service}:{options.action}")
    return 0


def _faults_clear(folder: Folder, _: argparse.Namespace) -> int:
    print(f"{lifecycle.ask(lifecycle.endpoint(folder), 'DELETE', 'faults')['cleared']} faults cleared")
    return 0


def _faults_database(folder: Folder, options: argparse.Namespace) -> int:
    given = ("identifier", "kind", "table", "seconds", "percent")
    wanted = {name: getattr(options, name) for name in given if getattr(options, name) is not None}
    print(lifecycle.ask(lifecycle.endpoint(folder), "POST", "databases", wanted)["done"])
    return 0


def _faults_task(folder: Folder, options: argparse.Namespace) -> int:
    wanted = {"task": options.task, "kind": options.kind}
    print(lifecycle.ask(lifecycle.endpoint(folder), "POST", "tasks", wanted)["done"])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="The embedded AWS, on loopback.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("start", help="start it unless it runs")
    one.add_argument("--port", type=_port, help="port of its API (default: 4599, or a free one where that is taken)")
    one.set_defaults(run=_start)
    commands.add_parser("stop", help="stop it and remove its state").set_defaults(run=_stop)
    one = commands.add_parser("status", help="what runs (exit code 3: nothing)")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=_status)
    commands.add_parser("env", help="print the exports for a shell").set_defaults(run=_env)
    one = commands.add_parser("logs", help="print the end of a log")
    one.add_argument("name", nargs="?", default="daemon", help="which (default: daemon)")
    one.add_argument("--lines", type=int, default=100)
    one.set_defaults(run=_logs)
    _add_faults(commands.add_parser("faults", help="let calls and databases fail"))
    return parser


def _add_faults(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("list", help="the faults that wait").set_defaults(run=_faults_list)
    commands.add_parser("clear", help="forget the faults that wait").set_defaults(run=_faults_clear)
    one = commands.add_parser("add", help="let the next calls of an API action fail")
    one.add_argument("service", help="as boto3 names it: ecs, elbv2, rds, ...; * for all")
    one.add_argument("action", help="as AWS names it: RunTask, ...; * for all")
    one.add_argument("kind", choices=KINDS)
    for name, kind in (
        ("times", int),
        ("skip", int),
        ("status", int),
        ("code", str),
        ("message", str),
        ("seconds", float),
    ):
        one.add_argument(f"--{name}", type=kind)
    one.set_defaults(run=_faults_add)
    one = commands.add_parser("task", help="let a running task die or stand still")
    one.add_argument("task", help="its ARN, or its id")
    one.add_argument("kind", choices=("kill", "pause", "resume"))
    one.set_defaults(run=_faults_task)
    one = commands.add_parser("database", help="let a database misbehave")
    one.add_argument("identifier")
    one.add_argument("kind", choices=("lock", "slow", "pause", "restart", "crash"))
    one.add_argument("--table", help="which table to lock (lock)")
    one.add_argument("--seconds", type=float, help="for how long (lock, slow, pause)")
    one.add_argument("--percent", type=int, help="share of the time in which it stands still (slow)")
    one.set_defaults(run=_faults_database)


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535; found {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
