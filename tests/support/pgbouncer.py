"""PgBouncer as Debian packages it, brought by the tests themselves and run in front of a scratch PostgreSQL.

The packages are downloaded with apt, unpacked into the tests' own cache folder and installed nowhere. Where that can't
be done, `Unavailable` says why.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from local.rds import binaries

CACHE = Path(__file__).resolve().parents[2] / ".local" / "tests" / "pgbouncer"
# The last two are its libraries. Names of later Debian releases end in `t64`.
PACKAGES = (("pgbouncer",), ("libevent-2.1-7", "libevent-2.1-7t64"), ("libc-ares2", "libcares2"))
SECONDS = 60


class Unavailable(Exception):  # noqa: N818 - a reason to skip
    """PgBouncer cannot be had on this machine; one line."""


def programs() -> list[Path]:
    """The program and then its libraries, where they are not the system's own."""
    if found := shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin"):
        return [Path(found)]
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Unavailable(f"no pgbouncer and no {tool} to get it with")
    unpacked = CACHE / "root"
    if not (unpacked / "usr/sbin/pgbouncer").exists():
        _bring(unpacked)
    return [unpacked / "usr/sbin/pgbouncer", *unpacked.glob("usr/lib/*-linux-gnu*/*.so*")]


def _bring(unpacked: Path) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder = Path(name)
        for names in PACKAGES:
            if not any(_download(one, folder) for one in names):
                raise Unavailable(f"apt-get download {names[0]} failed; `apt-get update` may help")
        for package in folder.glob("*.deb"):
            _run(["dpkg-deb", "-x", package, folder / "root"], folder)
        shutil.rmtree(unpacked, ignore_errors=True)
        (folder / "root").rename(unpacked)


def _download(name: str, folder: Path) -> bool:
    return _run(["apt-get", "-q", "download", name], folder).returncode == 0


def _run(command: list, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)


@contextmanager
def bouncer(server, mode: str, **settings: str) -> Iterator[int]:
    """Run it in front of a scratch server in a pool mode; its port. It answers as the server does: same user, password.

    Raises:
        Unavailable: it cannot be had.
    """
    files = programs()
    user = binaries.unprivileged()
    identity = {} if user.uid == os.getuid() else {"user": user.uid, "group": user.gid, "extra_groups": []}
    root = Path(tempfile.mkdtemp(prefix="bluegreen-bouncer-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for file in files:  # it refuses to run as root, and who it runs as may not see the checkout
        shutil.copy(file, root)
    (root / "users.txt").write_text(f'"postgres" "{server.password}"\n')
    options = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": str(root / "users.txt"),
        "pool_mode": mode,
        **settings,
    }
    lines = ["[databases]", f"* = host=127.0.0.1 port={server.port}", "[pgbouncer]"]
    (root / "bouncer.ini").write_text("\n".join([*lines, *(f"{name} = {value}" for name, value in options.items())]))
    if identity:
        for one in (root, *root.iterdir()):
            os.chown(one, identity["user"], identity["group"])
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [root / "pgbouncer", root / "bouncer.ini"], cwd=root, stdout=log, stderr=log, start_new_session=True,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "LD_LIBRARY_PATH": str(root)}, **identity,
        )  # fmt: skip
    try:
        _await(server, port, process, root / "log")
        yield port
    finally:
        process.kill()
        process.wait(20)
        shutil.rmtree(root, ignore_errors=True)


def _await(server, port: int, process: subprocess.Popen, log: Path) -> None:
    """Until it lets a client in."""
    for _ in range(200):
        try:
            psycopg.connect(
                host="127.0.0.1", port=port, dbname="postgres", user="postgres", password=server.password,
                connect_timeout=30, autocommit=True,
            ).close()  # fmt: skip
        except psycopg.OperationalError:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise Unavailable(f"pgbouncer ended at once: {log.read_text().strip()[-300:]}") from None
        else:
            return
    raise AssertionError(log.read_text())
