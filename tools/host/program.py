"""Running one Pulumi program inside the host's process."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import runpy
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pulumi
from pulumi.runtime import reset_options, run_in_stack, set_all_config


def run(request: Any, engine_address: str) -> str | None:
    """Run the program of a ``RunRequest`` to its end.

    Returns None when it succeeded, else the message that has already been logged to the engine.
    """
    return contextvars.copy_context().run(_run, request, engine_address)


def _run(request: Any, engine_address: str) -> str | None:
    # Futures that fail are reported once, by us; asyncio would print "exception was never retrieved" beside it.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    root = program_directory(request)
    reset_options(
        project=request.project,
        stack=request.stack,
        root_directory=request.info.root_directory or str(root),
        parallel=request.parallel,
        engine_address=engine_address,
        monitor_address=request.monitor_address,
        preview=request.dryRun,
        organization=request.organization or "organization",
    )
    set_all_config(dict(request.config), list(request.configSecretKeys))
    loop = asyncio.new_event_loop()
    # Registrations wait on threads: with fewer threads than the engine's parallelism resources would wait in line.
    loop.set_default_executor(ThreadPoolExecutor(max_workers=max(request.parallel, 1) * 4))
    try:
        with _as_main_program(root, list(request.args)):
            loop.run_until_complete(run_in_stack(lambda: _execute(root, request.info.entry_point)))
    except BaseException as failure:
        message = describe(failure, root)
        if message is not None:
            pulumi.log.error(message)
        return message
    finally:
        _drain(loop)
        sys.stdout.flush()
        sys.stderr.flush()
    return None


def program_directory(request: Any) -> Path:
    """The folder that holds the program's entry point."""
    return Path(request.info.program_directory or request.pwd)


def _execute(root: Path, entry_point: str) -> None:
    runpy.run_path(str(root / (entry_point or ".")), run_name="__main__")


@contextmanager
def _as_main_program(root: Path, arguments: list[str]) -> Iterator[None]:
    """The folder, import path and arguments that ``python FOLDER ARGUMENTS`` would give."""
    before = (list(sys.argv), list(sys.path))
    os.chdir(root)
    sys.argv = [str(root), *arguments]
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.argv, sys.path[:] = before
        _forget_modules(root)


def _forget_modules(root: Path) -> None:
    """Drop the program's modules, so that a second run in this process starts from their source again."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and is_own(file, root):
            del sys.modules[name]


def is_own(file: str, root: Path) -> bool:
    """Whether a source file belongs to the program: under its folder, and not in an environment that lies there."""
    if not Path(file).is_absolute():  # "<frozen runpy>" and the like
        return False
    path = os.path.realpath(file)
    if path.startswith(os.path.realpath(sys.prefix) + os.sep):
        return False
    return path.startswith(os.path.realpath(root) + os.sep)


def describe(failure: BaseException, root: Path) -> str | None:
    """The one message for a failed program, with the traceback cut to the program's own frames.

    None when there is nothing to say because the engine is going away and has its own reason.
    """
    if isinstance(failure, pulumi.RunError):
        return str(failure)
    if isinstance(failure, SystemExit):
        return f"the program called sys.exit({failure.code!r})" if failure.code else None
    if isinstance(failure, grpc.RpcError):
        if failure.code() == grpc.StatusCode.UNAVAILABLE:
            return None
        return f"the engine refused a call of the program: {failure.details()}"
    frames = failure.__traceback__
    while frames is not None and not is_own(frames.tb_frame.f_code.co_filename, root):
        frames = frames.tb_next
    lines = traceback.format_exception(type(failure), failure, frames)
    return "the program failed with an unhandled exception:\n" + "".join(lines).rstrip()


def _drain(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is left on the loop and close it; asyncio would warn about each task otherwise."""
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    if pending:
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
    loop.close()
