"""Loopback addresses for tasks, load balancers and databases, shared fairly by every embedded AWS of the machine.

Linux answers for the whole of 127.0.0.0/8 without any set-up, so each thing that has an address on AWS gets one here.
An address is held by an abstract Unix socket of its name: the kernel lets one process have it, in the same network
namespace that the address belongs to, and takes it back when that process dies, however it dies.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading
from enum import StrEnum
from pathlib import Path

LISTEN = "0A"  # the state's number in /proc/net/tcp


class Pool(StrEnum):
    """Which addresses a thing may have."""

    TASK = "127.64.0.0/16"
    LOAD_BALANCER = "127.65.0.0/24"
    DATABASE = "127.66.0.0/24"


class NoFreeAddress(RuntimeError):  # noqa: N818  (reads as what it says)
    """Every address of a pool is taken, or the port asked for is taken on all of them."""


class Addresses:
    """The addresses that this process holds. All methods may be called from any thread; none waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, socket.socket] = {}
        self._last: dict[Pool, int] = {}

    def take(self, pool: Pool, port: int | None = None) -> str:
        """An address of the pool that nobody holds and on which nothing listens.

        The pool is gone through in a circle, so an address that was given back rests as long as possible: a client
        that still knows it must not meet another task there.

        Args:
            pool: which addresses.
            port: also make sure that this TCP port can be bound there; None where the port is not known yet.

        Raises:
            NoFreeAddress: the pool is used up, or the port is taken on every address of it.
        """
        network = ipaddress.ip_network(pool.value)
        usable = network.num_addresses - 2  # neither the first nor the last address is given
        busy = listening()
        with self._lock:
            for step in range(usable):
                index = (self._last.get(pool, 0) + step) % usable + 1
                address = str(network[index])
                if address in busy or (port is not None and not bindable(address, port)):
                    continue
                if self._hold(address):
                    self._last[pool] = index
                    return address
        what = "" if port is None else f" on which port {port} is free (see `ss -ltnp 'sport = {port}'` for who has it)"
        raise NoFreeAddress(
            f"none of the {usable} addresses of {pool.value} is free{what}: each is held or listened on"
        )

    def give_back(self, address: str) -> None:
        """Let others have the address. Harmless for one that is not held."""
        with self._lock:
            held = self._held.pop(address, None)
        if held is not None:
            held.close()

    def close(self) -> None:
        """Give everything back."""
        with self._lock:
            held, self._held = self._held, {}
        for one in held.values():
            one.close()

    def _hold(self, address: str) -> bool:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0bluegreen-address-{address}")
        except OSError as error:
            claim.close()
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        self._held[address] = claim
        return True


def listening() -> set[str]:
    """The IPv4 addresses on which some process of this machine listens, as the kernel tells."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state = line.split()[:4]
        if state == LISTEN:
            # Little-endian: so are both processors that the embedded AWS runs on.
            found.add(str(ipaddress.ip_address(bytes.fromhex(local.split(":")[0])[::-1])))
    return found


def bindable(address: str, port: int) -> bool:
    """True when a server could listen there now.

    Raises:
        PermissionError: the port is one that only a privileged user may have.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: connections that rest do not count
        try:
            probe.bind((address, port))
        except PermissionError:
            raise
        except OSError:
            return False
    return True
