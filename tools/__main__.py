"""``python -m tools COMMAND``; each make target is one of these commands."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

from . import cli, doctor, env, setup, stack, stages
from .console import say
from .project import LOCAL, ROOT, STATE, ToolError, python


def main(arguments: Sequence[str]) -> int:
    """Run one command. Returns the exit code."""
    options = _parser().parse_args(arguments)
    # A termination stops what was started, as Ctrl-C does. And a build server may start us with interrupts ignored,
    # which everything started here would inherit.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        code: int = options.run(options)
    except ToolError as error:
        sys.stderr.write(f"tools: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("tools: interrupted; nothing half-made is left\n")
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    set_up = command("setup", _setup, "make the virtual environment and get the Pulumi CLI")
    set_up.add_argument("--quiet", action="store_true", help="say nothing when all is there")
    set_up.add_argument("--stack", default=LOCAL, help="for another one than local: without the embedded AWS")
    command("doctor", lambda _: doctor.report(doctor.examine()), "start each part once and say what is wrong")
    command("check", lambda _: stages.check(), "lint, types and fast tests")
    command("test", lambda _: stages.test(), "lint, types, all tests, the rehearsal")
    command("cli", _cli, "print the path of the Pulumi CLI")
    command("env", _env, "print shell lines that put the tools on PATH, and the embedded AWS if it runs")
    run = command("run", _run, "run a command in that environment: python -m tools run -- pulumi stack ls")
    run.add_argument("--no-local", dest="local", action="store_false", help="without the embedded AWS, if it runs")
    run.add_argument("words", nargs=argparse.REMAINDER)
    for name in ("preview", "up", "destroy"):
        pulumi = command(name, _pulumi, f"pulumi {name} on a stack")
        pulumi.add_argument("--stack", default=LOCAL)
        pulumi.add_argument("words", nargs=argparse.REMAINDER, help="more arguments for pulumi, after --")
        pulumi.set_defaults(operation=name)
    held = command("freeze", _freeze, "keep the weights where they are, whatever a run would do")
    held.add_argument("--stack", default=LOCAL)
    held.add_argument("--reason", default="", help="for the next person; required")
    command("thaw", _thaw, "lift a freeze").add_argument("--stack", default=LOCAL)
    command("lock", _lock, "compile requirements.lock and its subsets from pyproject.toml").add_argument(
        "--upgrade", action="store_true", help="take newer versions where pyproject.toml allows them"
    )
    command("clean", _clean, "stop the embedded AWS and remove .local/ and the caches of the linters")
    return parser


def _setup(options: argparse.Namespace) -> int:
    setup.set_up(options.stack, quiet=options.quiet)
    return 0


def _cli(_: argparse.Namespace) -> int:
    say(str(cli.path()))
    return 0


def _env(_: argparse.Namespace) -> int:
    sys.stdout.write(env.exports(env.environment(), os.environ))
    return 0


def _words(options: argparse.Namespace) -> list[str]:
    words: list[str] = options.words
    return words[1:] if words[:1] == ["--"] else words


def _run(options: argparse.Namespace) -> int:
    words = _words(options)
    if not words:
        raise ToolError("run: found no command, expected one after --: python -m tools run -- pulumi stack ls")
    environment = env.environment(local=options.local)
    found = shutil.which(words[0], path=environment["PATH"])
    if found is None:
        raise ToolError(f"run: {words[0]} is not on PATH")
    sys.stdout.flush()
    os.execve(found, words, environment)  # noqa: S606 - the person's own command, no shell is wanted


def _pulumi(options: argparse.Namespace) -> int:
    return stack.run(options.operation, options.stack, _words(options))


def _freeze(options: argparse.Namespace) -> int:
    from . import freeze  # here, as it needs packages of the virtual environment

    return freeze.freeze(options.stack, options.reason)


def _thaw(options: argparse.Namespace) -> int:
    from . import freeze

    return freeze.thaw(options.stack)


def _lock(options: argparse.Namespace) -> int:
    from . import requirements  # here, as it needs a package of the virtual environment

    requirements.compile_all(upgrade=options.upgrade)
    return 0


def _clean(_: argparse.Namespace) -> int:
    if python().exists():
        stop = [str(python()), "-m", "local", "stop"]
        subprocess.run(stop, cwd=ROOT, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 - ours
    for name in (".ruff_cache", ".mypy_cache", ".hypothesis", ".pytest_cache"):
        shutil.rmtree(ROOT / name, ignore_errors=True)
    shutil.rmtree(STATE, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
