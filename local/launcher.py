"""Start of a server that must not outlive the embedded AWS: `python -I -S launcher.py PARENT UID GID PROGRAM ARGV...`.

It becomes the unprivileged user, asks the kernel for SIGQUIT at its parent's death, and becomes the program. This is a
program of its own because code between fork and exec in a process with threads can deadlock, and because changing the
user after asking would undo it. Standard library only.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become the program; never returns."""
    parent, uid, gid, program, *argv = sys.argv[1:]
    if int(uid) != os.getuid():
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)
    if os.getppid() != int(parent):  # it died before the kernel knew
        sys.exit(f"the process {parent} that asked for {program} is gone")
    os.execv(program, [program, *argv])  # noqa: S606  (exactly what is wanted: no shell)


if __name__ == "__main__":
    main()
