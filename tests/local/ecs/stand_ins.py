"""What stands beside the scheduler in its tests: images that are a few lines of Python, and target groups that say what
a test tells them to say."""

import dataclasses
import sys
from pathlib import Path

from local.contracts import Image, TargetHealth

# A program for every way that a task may behave; the first argument chooses.
PROGRAM = """
import os, signal, subprocess, sys, time
what, *rest = sys.argv[1:]
def serve():
    while True:
        time.sleep(0.02)
if what == "print":
    for word in rest:
        print(word)
    sys.exit(0)
if what == "exit":
    print("ends with", rest[0], file=sys.stderr)
    sys.exit(int(rest[0]))
if what == "env":
    for name in rest:
        print(name + "=" + os.environ.get(name, "<unset>"))
    print("cwd=" + os.getcwd())
    print("names=" + ",".join(sorted(os.environ)))
    sys.exit(0)
if what == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if what == "polite":
    def end(*_):
        print("asked to end", flush=True)
        sys.exit(int(rest[0]))
    signal.signal(signal.SIGTERM, end)
if what == "family":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("child", child.pid, flush=True)
if what == "leave":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("child", child.pid, flush=True)
    sys.exit(3)
if what == "escape":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    print("child", child.pid, flush=True)
    sys.exit(0)
print("ready", os.getpid(), flush=True)
if what == "silent":
    os.close(1)
    os.close(2)
serve()
"""


class StubImages:
    """Images by reference; every one has the program above, and what a test adds."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.known: dict[str, Image] = {}

    def add(self, reference: str, **fields) -> str:
        rootfs = self.root / f"image{len(self.known)}"
        (rootfs / "app").mkdir(parents=True)
        (rootfs / "app" / "program.py").write_text(PROGRAM)
        image = Image(
            digest="sha256:" + f"{len(self.known) + 1:064x}",
            rootfs=rootfs,
            command=("serve",),
            entrypoint=(sys.executable, "-u", "/app/program.py"),
            workdir="/app",
            environment={"FROM_IMAGE": "yes", "BOTH": "image"},
            stop_signal="SIGTERM",
        )
        # No chroot, so the program is named by its place on the host.
        image = dataclasses.replace(image, entrypoint=(sys.executable, str(rootfs / "app" / "program.py")), **fields)
        self.known[reference] = image
        return reference

    def resolve(self, reference: str) -> Image:
        if reference not in self.known:
            raise LookupError(f"CannotPullContainerError: pull image manifest: {reference}: not found")
        return self.known[reference]


class StubTargets:
    """Target groups that answer what a test sets; what happens to targets is noted in order."""

    def __init__(self) -> None:
        self.answer: dict[str, str] = {}
        self.default = "healthy"
        self.drain_held = False
        self.registered: set[tuple[str, str, int]] = set()
        self.events: list[tuple[str, str]] = []

    def register(self, group: str, address: str, port: int) -> None:
        self.registered.add((group, address, port))
        self.events.append(("register", address))

    def deregister(self, group: str, address: str, port: int) -> None:
        self.registered.discard((group, address, port))
        self.events.append(("deregister", address))

    def health(self, group: str, address: str, port: int) -> TargetHealth:
        if (group, address, port) not in self.registered:
            return TargetHealth(state="unused")
        return TargetHealth(state=self.answer.get(address, self.default))

    def drained(self, group: str, address: str, port: int) -> bool:
        if self.drain_held or (group, address, port) in self.registered:
            return False
        self.events.append(("drained", address))
        return True


def runs(pid: int) -> bool:
    """True while a process runs; one that ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"
