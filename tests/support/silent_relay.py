"""A network between a client and a server that goes silent: it takes what is sent, keeps every socket and hands nothing
on.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class SilentRelay:
    """`numbers`: which connections go silent, in the order they were made, from 1; none: all."""

    def __init__(self, target: int, numbers: frozenset[int] = frozenset()):
        self._target, self._numbers = target, numbers
        self.silent, self._over = threading.Event(), threading.Event()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self._open: list[socket.socket] = [self._door]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End of the test."""
        self._over.set()
        for one in self._open:
            one.close()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                client, _ = self._door.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            number += 1
            self._open += [client, server]
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(*pair, number), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, number: int) -> None:
        try:
            while data := source.recv(65536):
                if self.silent.is_set() and (not self._numbers or number in self._numbers):
                    self._over.wait()
                    return
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


@contextmanager
def silent_relay(target: int, *numbers: int) -> Iterator[SilentRelay]:
    """In front of that port; talks until `silent` is set."""
    relay = SilentRelay(target, frozenset(numbers))
    try:
        yield relay
    finally:
        relay.close()
