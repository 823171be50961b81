"""A task metadata endpoint of a test's own: says that the caller is the task asked for."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def metadata_of(task_id: str) -> Iterator[str]:
    """What ECS_CONTAINER_METADATA_URI_V4 holds in that task."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.path == f"/v4/{task_id}-1/task"
            body = json.dumps({"TaskARN": f"arn:aws:ecs:eu-west-1:123456789012:task/c/{task_id}"} if known else {})
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v4/{task_id}-1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
