"""Start of a container's process: run by the spawner as `python -I -S launch.py STATUS PARENT PROGRAM ARGV...`.

It asks the kernel for death with its parent, undoes what the interpreter did to the signals, and becomes the program.
It is a program of its own because code between fork and exec in a process with threads can deadlock. It needs nothing
but the standard library.

STATUS is the number of an open pipe: it ends empty when the program runs, or holds the errno of the exec that failed.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
EXEC_FAILED = 127


def main() -> None:
    """Become the program; never returns."""
    status, parent, program, *argv = sys.argv[1:]
    os.set_inheritable(int(status), False)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):  # it died before the kernel knew
        os._exit(EXEC_FAILED)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execv(program, argv)  # noqa: S606  (exactly what is wanted: no shell)
    except OSError as error:
        os.write(int(status), str(error.errno).encode())
        os._exit(EXEC_FAILED)


if __name__ == "__main__":
    main()
