"""The HTTP door of the embedded AWS: every AWS client of the machine comes in here.

One port for all services, as AWS_ENDPOINT_URL wants it: moto tells them apart by the request's signature. Paths under
`/_local/` are ours (see `control.py`).
"""

from __future__ import annotations

import io
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

log = logging.getLogger(__name__)

# Held by every API call while it runs, and by whoever else touches moto's objects. Never held while waiting or doing
# IO: everything behind it is memory.
LOCK = threading.RLock()

# Run after each API call and before it counts as answered, without the lock: what makes its changes take effect.
EFFECTS: list[Callable[[], None]] = []

IDLE_SECONDS = 120.0  # a connection on which nothing is asked for so long is closed
MAX_BODY_BYTES = 64 << 20

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Handler(BaseHTTPRequestHandler):
    """One connection, kept alive from request to request.

    Clients make hundreds of calls, and werkzeug's own server closes the connection after each of them.
    """

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    wbufsize = -1  # the head and the body of an answer leave in one segment
    disable_nagle_algorithm = True
    server: _Threads

    def answer(self) -> None:
        """Give the request to the application and its answer to the client."""
        length = self.headers.get("Content-Length", "0")
        if "chunked" in self.headers.get("Transfer-Encoding", "") or not length.isdigit():
            return self._refuse(411, "send Content-Length: this server does not read chunked requests")
        if int(length) > MAX_BODY_BYTES:
            return self._refuse(413, f"the body has {length} bytes; at most {MAX_BODY_BYTES} are taken")
        status, headers, content = self._ask(self.rfile.read(int(length)))
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers.items():
            if name not in {"content-length", "server", "date", "connection"}:
                self.send_header(name, value)
        # The answer to HEAD tells the length of what GET would have sent.
        told = headers.get("content-length") if self.command == "HEAD" else None
        self.send_header("Content-Length", told or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        return None

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = answer  # noqa: N815  (http.server's names)

    def _ask(self, body: bytes) -> tuple[str, dict[str, str], bytes]:
        """The application's answer: status line, headers by lower-case name, content."""
        head: list[Any] = []
        try:
            answer = self.server.application(self._environment(body), lambda *given: head.extend(given))
            content = b"".join(answer)
        except Exception:
            log.exception("%s %s was not answered", self.command, self.path)
            return "500 Internal Server Error", {"content-type": "text/plain"}, b"the embedded AWS failed; see its log"
        if close := getattr(answer, "close", None):
            close()
        return head[0], {name.lower(): value for name, value in head[1]}, content

    def _refuse(self, code: int, reason: str) -> None:
        """Answer without having read the body, so the connection ends here."""
        self.close_connection = True
        self.send_error(code, explain=reason)

    def _environment(self, body: bytes) -> dict[str, Any]:
        url = urlsplit(self.path)
        environment: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(url.path, "latin-1"),
            "QUERY_STRING": url.query,
            "REQUEST_URI": self.path,
            "RAW_URI": self.path,
            "REMOTE_ADDR": self.client_address[0],
            "REMOTE_PORT": str(self.client_address[1]),
            "SERVER_NAME": str(self.server.server_address[0]),
            "SERVER_PORT": str(self.server.server_address[1]),
            "SERVER_PROTOCOL": self.request_version,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
            environment[key] = f"{environment[key]},{value}" if key in environment else value
        return environment

    def log_message(self, *_: Any) -> None:
        """Nothing: calls are kept by `calls.py`."""


class _Threads(ThreadingHTTPServer):
    """A thread for each connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, host: str, port: int, application: Application) -> None:
        self.application = application
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server for the host's name, as the base does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away; show everything else."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Server:
    """Listens from its creation on, and answers between `start` and `stop`.

    Args:
        port: the TCP port on 127.0.0.1; 0 for a free one.
        application: the WSGI application that answers.

    Raises:
        OSError: the port is taken, or not for this user.
    """

    def __init__(self, port: int, application: Application, *, host: str = "127.0.0.1") -> None:
        self._http = _Threads(host, port, application)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.1}, name="http", daemon=True
        )

    @property
    def endpoint(self) -> str:
        """What AWS_ENDPOINT_URL has to be."""
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Take no new connection and close the port. Calls in flight are answered if the process lives on."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()
