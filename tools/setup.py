"""`make tools`: everything the other targets need, made once."""

from __future__ import annotations

import time

from . import cli, doctor, venv
from .console import say
from .project import LOCAL, machine, python, runs_embedded_aws


def set_up(stack: str = LOCAL, *, quiet: bool = False) -> cli.Cli:
    """Make what is missing and say in one line what is there. With ``quiet``, only if something was made.

    For a stack in an AWS account nothing of the embedded AWS is installed.

    Raises:
        ToolError: what could not be made, and what to install.
    """
    started = time.monotonic()
    system, processor = machine()
    wanted = venv.LOCK if stack == LOCAL else venv.AWS_ONLY
    made_venv = venv.ensure(wanted)
    found, made_cli = cli.ensure()
    if made_cli:
        doctor.require(doctor.language_host(found))
    if made_venv or made_cli or not quiet:
        say(
            f"tools: ready in {time.monotonic() - started:.1f} s: Pulumi {found.version} ({found.path}), "
            f"packages of {wanted.name} ({python().parent.parent})"
        )
        if not runs_embedded_aws():
            say(
                f"tools: on {system} {processor} everything works against AWS, and `make check`; the embedded AWS "
                "(make local, rehearse, test) needs Linux, for example in a container or a virtual machine"
            )
    return found
