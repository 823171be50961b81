"""The smoke test against real services, and against something else that answers."""

import http.server
import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from tests.support.trees_on_disk import BASE

pytestmark = pytest.mark.slow


def run_smoke(tree, url, version, **extra):
    return subprocess.run(
        [sys.executable, "-m", "app.smoke"],
        cwd=tree, env={**BASE, "SMOKE_URL": url, "APP_VERSION": version, **extra},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_a_good_color_passes_and_nothing_of_it_stays(orders_v1, app_trees):
    found = run_smoke(app_trees["v1"], orders_v1.url, "v1")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout.splitlines()[-1])["result"]["version"] == "v1"
    assert orders_v1.request("GET", "/orders")[1]["orders"] == []


@contextmanager
def answering(status, body, version="v2", paths=None):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            found = (paths or {}).get(self.path, (status, body))
            payload = found[1].encode()
            self.send_response(found[0])
            self.send_header("x-app-version", version)
            self.send_header("x-got", self.headers.get("bluegreen-color", ""))
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def impatient(monkeypatch):
    from app import smoke

    monkeypatch.setattr(smoke, "READY_SECONDS", 0.0)
    return smoke


def test_another_version_behind_the_listener_is_told_apart(impatient):
    with answering(200, '{"version": "v1"}', version="v1") as url, pytest.raises(impatient.SmokeError) as found:
        impatient.run(impatient.Target(url=url, version="v2"))
    assert "answered by v1" in str(found.value)
    assert "expected version v2" in str(found.value)


def test_not_ready_is_told_with_the_services_own_reason(impatient):
    with (
        answering(503, '{"reason": "database: away"}') as url,
        pytest.raises(impatient.SmokeError, match="database: away"),
    ):
        impatient.run(impatient.Target(url=url, version="v2"))


def test_an_order_that_reads_back_wrong_fails(impatient):
    good, order = (200, '{"version": "v2"}'), '{"id": 7, "customer": "someone else"}'
    paths = {"/readyz": good, "/version": good, "/orders": (201, order), "/orders/7": (200, order)}
    with (
        answering(404, "{}", paths=paths) as url,
        pytest.raises(impatient.SmokeError, match=r"someone else.*expected"),
    ):
        impatient.run(impatient.Target(url=url, version="v2"))


def test_nobody_there_is_one_line(impatient):
    with answering(200, "{}") as url:
        pass
    with pytest.raises(impatient.SmokeError, match="GET /readyz"):
        impatient.run(impatient.Target(url=url, version="v2"))


@pytest.mark.parametrize(
    ("name", "value"), [("SMOKE_URL", ""), ("SMOKE_URL", "host:80"), ("SMOKE_HEADER", "green"), ("SMOKE_HEADER", ":")]
)
def test_wrong_settings_are_named(app_trees, name, value):
    given = {"SMOKE_URL": "http://127.0.0.1:1", "APP_VERSION": "v1", name: value}
    found = subprocess.run(
        [sys.executable, "-m", "app.smoke"], cwd=app_trees["v1"], env={**BASE, **given}, capture_output=True, text=True
    )
    assert found.returncode == 1
    assert found.stderr.startswith(f"smoke: {name}:")
    assert found.stdout == ""


def test_the_header_picks_the_color(impatient):
    target = impatient.target({"SMOKE_URL": "http://h/", "SMOKE_HEADER": "bluegreen-color: green", "APP_VERSION": "v"})
    assert target.headers == {"bluegreen-color": "green"}
    assert target.url == "http://h"
    assert os.environ.get("SMOKE_URL") is None
