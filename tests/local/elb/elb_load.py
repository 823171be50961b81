"""Clients that ask all the time, and remember every answer."""

from __future__ import annotations

import http.client
import threading


class Flips:
    """The number of flips that were begun, and that had returned."""

    def __init__(self) -> None:
        self.begun = self.returned = 0


class Client:
    """Asks in a loop on one kept connection, and keeps what is known of every answer."""

    def __init__(self, address: str, flips: Flips) -> None:
        self.answers: list[
            tuple[int, int, int, str]
        ] = []  # flips returned when sent, begun when answered, status, body
        self._address, self._flips = address, flips
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        connection = http.client.HTTPConnection(self._address, 8080, timeout=15)
        while not self._stop.is_set():
            sent = self._flips.returned
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                status, body = response.status, response.read().decode()
            except (OSError, http.client.HTTPException) as error:
                status, body = 0, str(error)
                connection.close()
            self.answers.append((sent, self._flips.begun, status, body))
        connection.close()

    def stop(self) -> list[tuple[int, int, int, str]]:
        self._stop.set()
        self._thread.join()
        return self.answers
