"""The one thread that waits for all processes: it reads what they print and notices when they end.

It sleeps in the kernel until something happens, so idle tasks cost nothing.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Protocol

from local import processes
from local.processes import Records

CHUNK = 65536
FLUSH_SECONDS = 0.2
EXIT_BY_SIGNAL = 128  # as a shell and as ECS report it: 128 + the signal's number


class Sink(Protocol):
    """Where a container's output goes."""

    def feed(self, data: bytes) -> None:
        """Take some output; nothing is delivered yet."""
        ...

    def flush(self, *, last: bool) -> None:
        """Deliver the whole lines, and with `last` also one that has no end."""
        ...


class Process:
    """A container's process group.

    Attributes:
        pid: the leader, and the number of the group.
        exit_code: once it ended, as ECS reports it.
        ended: set when it has ended, all it printed is delivered and nothing of its group lives.
    """

    def __init__(self, popen: subprocess.Popen[bytes], output: int, sink: Sink, on_end: Callable[[], None]) -> None:
        self.pid = popen.pid
        self.exit_code: int | None = None
        self.ended = threading.Event()
        self._popen, self._sink, self._on_end = popen, sink, on_end
        self.output: int | None = output
        self.handle = os.pidfd_open(popen.pid)
        self.flush_at: float | None = None
        self.record: processes.Process | None = None
        self._reaping = threading.Lock()

    def terminate(self, number: signal.Signals) -> None:
        """Ask the container's main process to end, as `docker stop` does: the main process alone gets the signal."""
        with self._reaping:  # after the reaping the number may belong to somebody else
            if self.exit_code is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, number)

    def kill(self) -> None:
        """End the whole group at once."""
        with self._reaping:
            if self.exit_code is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)

    def read(self) -> bool:
        """Take what can be read now; False at the end of the output."""
        assert self.output is not None  # noqa: S101  (the selector knows it only while it is open)
        try:
            data = os.read(self.output, CHUNK)
        except BlockingIOError:
            return True
        if data:
            self._sink.feed(data)
            self.flush_at = self.flush_at or time.monotonic() + FLUSH_SECONDS
        return bool(data)

    def flush(self) -> None:
        """Deliver what was read."""
        self.flush_at = None
        self._sink.flush(last=False)

    def finish(self) -> None:
        """Take note of the end: end the rest of the group, deliver what is left to read, and tell."""
        with self._reaping:
            # The leader is not reaped yet, so the group's number is still its own.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            code = self._popen.wait()
            self.exit_code = code if code >= 0 else EXIT_BY_SIGNAL - code
        os.close(self.handle)
        self._sink.flush(last=True)
        self.ended.set()
        self._on_end()


class Watcher:
    """Waits for processes that are handed to it.

    Args:
        records: where each is noted while it runs.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._new: list[Process] = []
        self._lock = threading.Lock()
        self._stopping = False
        self._watched: set[Process] = set()
        self._thread = threading.Thread(target=self._work, name="ecs-watcher", daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; processes that still run are not waited for any more."""
        self._stopping = True
        self._wake()
        self._thread.join()
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def watch(
        self, name: str, popen: subprocess.Popen[bytes], output: int, sink: Sink, on_end: Callable[[], None]
    ) -> Process:
        """Take charge of a process that was just started.

        Args:
            name: the container, for people.
            popen: the process.
            output: the end of the pipe from which its output is read; closed here in the end.
            sink: takes the output.
            on_end: called from this thread when `Process.ended` is set.
        """
        os.set_blocking(output, False)
        process = Process(popen, output, sink, on_end)
        process.record = processes.Process.of(popen.pid, name)
        self._records.note(process.record)
        with self._lock:
            self._new.append(process)
        self._wake()
        return process

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"x")

    def _work(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select(self._timeout()):
                if key.data is None:
                    self._take_new()
                else:
                    self._react(key)
            self._flush_due()

    def _take_new(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, CHUNK)
        with self._lock:
            new, self._new = self._new, []
        for process in new:
            self._watched.add(process)
            self._selector.register(process.handle, selectors.EVENT_READ, process)
            self._selector.register(process.output or 0, selectors.EVENT_READ, process)

    def _react(self, key: selectors.SelectorKey) -> None:
        process: Process = key.data
        if key.fd == process.output:
            if not process.read():
                self._close_output(process)
        elif process in self._watched:
            self._end(process)

    def _end(self, process: Process) -> None:
        """The leader ended: all that it and its group wrote is in the pipe already."""
        self._watched.discard(process)
        self._selector.unregister(process.handle)
        process.kill()
        while process.output is not None and _readable(process.output):
            if not process.read():
                self._close_output(process)
        if process.output is not None:  # somebody outside the group holds the other end; he is not waited for
            self._close_output(process)
        process.finish()
        if process.record is not None:
            self._records.forget(process.record)

    def _close_output(self, process: Process) -> None:
        if process.output is not None:
            self._selector.unregister(process.output)
            os.close(process.output)
            process.output = None

    def _timeout(self) -> float | None:
        due = [process.flush_at for process in self._watched if process.flush_at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _flush_due(self) -> None:
        moment = time.monotonic()
        for process in list(self._watched):
            if process.flush_at is not None and process.flush_at <= moment:
                process.flush()


def _readable(descriptor: int) -> bool:
    with selectors.PollSelector() as look:
        look.register(descriptor, selectors.EVENT_READ)
        return bool(look.select(0))
