"""What a task of the fake AWS does."""

import threading
from dataclasses import dataclass, field


@dataclass
class TaskScript:
    """What a task does. It runs until `release` is set (set from the start), then stops with the exit code."""

    exit_code: int | None = 0
    lines: tuple[str, ...] = ()
    stop_code: str = "EssentialContainerExited"
    reason: str = "Essential container in task exited"
    container_reason: str | None = None
    release: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def ends(cls, exit_code=0, *lines, **more):
        script = cls(exit_code=exit_code, lines=lines, **more)
        script.release.set()
        return script
