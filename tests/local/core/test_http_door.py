"""The server that all requests come through, and the paths of our own on it."""

import http.client

import pytest

from local.calls import CallLog
from local.control import Control
from local.faults import Faults
from local.server import Server


@pytest.fixture
def serve():
    """Serves a WSGI application; its host and port."""
    servers = []

    def start(application):
        server = Server(0, application)
        servers.append(server)
        server.start()
        return server.endpoint.removeprefix("http://")

    yield start
    for server in servers:
        server.stop()


def echo(environment, start):
    start("200 OK", [("Content-Type", "text/plain"), ("Server", "moto")])
    body = environment["wsgi.input"].read()
    return [environment["REQUEST_METHOD"].encode(), b" ", environment["PATH_INFO"].encode("latin-1"), b" ", body]


def test_requests_follow_each_other_on_a_connection(serve):
    connection = http.client.HTTPConnection(serve(echo), timeout=10)
    for method, body in (("GET", None), ("POST", b"one"), ("PUT", b"")):
        connection.request(method, "/a%20path?x=1", body)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, f"{method} /a path ".encode() + (body or b""))
        assert len(answer.headers.get_all("Server")) == 1
    connection.close()


def test_head_tells_a_length_and_sends_nothing(serve):
    connection = http.client.HTTPConnection(serve(echo), timeout=10)
    for _ in range(2):
        connection.request("HEAD", "/x")
        assert connection.getresponse().read() == b""
    connection.close()


def test_what_it_can_not_read_is_refused(serve):
    host = serve(echo)
    for headers, status in (({"Transfer-Encoding": "chunked"}, 411), ({"Content-Length": str(1 << 40)}, 413)):
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.putrequest("POST", "/")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.will_close) == (status, True)
        connection.close()


def test_a_failing_application_is_an_answer_and_a_line_in_the_log(serve, caplog):
    def fail(environment, _):
        raise KeyError(environment["PATH_INFO"])

    connection = http.client.HTTPConnection(serve(fail), timeout=10)
    connection.request("GET", "/broken")
    assert connection.getresponse().status == 500
    connection.close()
    assert "GET /broken was not answered" in caplog.text


def test_our_paths_answer_and_all_others_go_on(serve):
    control = Control(
        echo,
        calls=CallLog(),
        faults=Faults(),
        status=lambda: {"up": 1},
        database_fault=dict,
        task_fault=dict,
        metadata={"/v4/known": {"Name": "app"}}.get,
    )
    host = serve(control)
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("GET", "/_local/status")
    assert connection.getresponse().read() == b'{"up": 1}\n'
    connection.request("GET", "/v4/known")
    assert connection.getresponse().read() == b'{"Name": "app"}\n'
    connection.request("GET", "/v4/unknown")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (404, b'{"error": "/v4/unknown"}\n')
    connection.request("GET", "/other")
    assert connection.getresponse().read() == b"GET /other "
    connection.request("POST", "/moto-api/reset")
    answer = connection.getresponse()
    assert (answer.status, b"closed" in answer.read()) == (404, True)
    connection.request("POST", "/_local/faults", b"[1]")
    assert b"the body is a JSON object; found list" in connection.getresponse().read()
    connection.close()
