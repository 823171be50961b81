"""The service over real HTTP, with a real PostgreSQL."""

import json
import signal
import threading

import pytest

from tests.support.trees_on_disk import service

pytestmark = pytest.mark.slow

GOOD = {"reference": "a-1", "customer": "Ada", "amount": "12.34", "currency": "EUR"}


def test_an_order_is_created_read_changed_and_listed(orders_v1):
    status, made, headers = orders_v1.request("POST", "/orders", GOOD)
    assert status == 201
    assert {name: made[name] for name in GOOD} == GOOD
    assert (made["status"], made["test"]) == ("new", False)
    assert headers["location"] == f"/orders/{made['id']}"

    assert orders_v1.request("GET", f"/orders/{made['id']}")[1] == made

    change = {"status": "paid", "amount": "0.05", "currency": "USD"}
    status, changed, _ = orders_v1.request("PATCH", f"/orders/{made['id']}", change)
    assert status == 200
    assert {name: changed[name] for name in change} == change
    assert changed["reference"] == "a-1"
    assert orders_v1.request("GET", "/orders?limit=5")[1]["orders"] == [changed]


def test_pages_go_from_the_newest_to_the_oldest_without_a_gap(orders_v1):
    ids = [orders_v1.request("POST", "/orders", GOOD)[1]["id"] for _ in range(5)]
    seen, before = [], ""
    while page := orders_v1.request("GET", f"/orders?limit=2{before}")[1]["orders"]:
        seen += [order["id"] for order in page]
        before = f"&before={page[-1]['id']}"
    assert seen == sorted(ids, reverse=True)


def test_every_answer_says_who_gave_it(orders_v1):
    for path in ("/livez", "/readyz", "/version", "/orders", "/orders/77", "/nowhere"):
        _, _, headers = orders_v1.request("GET", path)
        assert headers["x-app-version"] == "v1"
        assert headers["x-app-color"] == "blue"
    assert orders_v1.request("GET", "/version")[1] == {"version": "v1", "color": "blue"}


def test_the_request_id_of_the_caller_is_kept_and_a_forged_one_is_not(orders_v1):
    assert orders_v1.request("GET", "/livez", **{"x-request-id": "abc-1"})[2]["x-request-id"] == "abc-1"
    trace = "Root=1-67891233-abcdef012345678912345678"
    assert orders_v1.request("GET", "/livez", **{"x-amzn-trace-id": trace})[2]["x-request-id"] == trace
    assert orders_v1.request("GET", "/livez", **{"x-request-id": 'a","level":"x'})[2]["x-request-id"].isalnum()


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({**GOOD, "amount": "12.3"}, "amount"),
        ({**GOOD, "amount": "-1.00"}, "amount"),
        ({**GOOD, "amount": 12.34}, "amount"),
        ({**GOOD, "amount": "9" * 14 + ".00"}, "amount"),
        ({**GOOD, "currency": "eur"}, "currency"),
        ({**GOOD, "reference": ""}, "reference"),
        ({**GOOD, "reference": "x" * 201}, "reference"),
        ({**GOOD, "customer": "a\0b"}, "customer"),
        ({**GOOD, "test": 1}, "test"),
        ({**GOOD, "colour": "red"}, "colour"),
        ([], "body"),
        ("text", "body"),
    ],
)
def test_what_is_not_an_order_is_refused_by_name(orders_v1, body, named):
    status, answer, _ = orders_v1.request("POST", "/orders", body)
    assert status == 400
    assert answer["error"].startswith(f"{named}:")
    assert "expected" in answer["error"]


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[" * 12_000])
def test_a_body_that_is_not_json_is_refused(orders_v1, raw):
    status, answer, _ = orders_v1.request("POST", "/orders", raw=raw)
    assert (status, answer["error"]) == (400, "body: not JSON in UTF-8")


def test_a_body_without_end_is_refused(orders_v1):
    assert orders_v1.request("POST", "/orders", raw=b"x" * 20_000)[0] == 413


@pytest.mark.parametrize("change", [{}, {"amount": "1.00"}, {"currency": "EUR"}, {"status": "lost"}, {"id": 3}])
def test_half_a_change_is_refused(orders_v1, change):
    made = orders_v1.request("POST", "/orders", GOOD)[1]
    assert orders_v1.request("PATCH", f"/orders/{made['id']}", change)[0] == 400
    assert orders_v1.request("GET", f"/orders/{made['id']}")[1] == made


@pytest.mark.parametrize("order", ["0", "1", "-1", "x", "9" * 19, "9" * 30, "1;drop"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_order_that_is_not_there_is_404(orders_v1, method, order):
    body = {"status": "paid"} if method == "PATCH" else None
    status, answer, _ = orders_v1.request(method, f"/orders/{order}", body)
    assert status == 404
    assert answer["error"].startswith("order ")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=-1", "before=0", "before=", "before=1.5"])
def test_a_page_that_makes_no_sense_is_refused(orders_v1, query):
    status, answer, _ = orders_v1.request("GET", f"/orders?{query}")
    assert status == 400
    assert "expected a whole number" in answer["error"]


def test_real_orders_cannot_be_deleted_and_orders_of_tests_are_not_listed(orders_v1):
    real = orders_v1.request("POST", "/orders", GOOD)[1]["id"]
    trial = orders_v1.request("POST", "/orders", {**GOOD, "test": True})[1]["id"]
    assert [order["id"] for order in orders_v1.request("GET", "/orders")[1]["orders"]] == [real]
    assert orders_v1.request("DELETE", f"/orders/{real}")[0] == 404
    assert orders_v1.request("DELETE", f"/orders/{trial}")[0] == 204
    assert orders_v1.request("GET", f"/orders/{trial}")[0] == 404
    assert orders_v1.request("GET", f"/orders/{real}")[0] == 200


def test_text_is_stored_as_it_came(orders_v1):
    odd = "Zoë 'x'; DROP TABLE orders; -- \u2603 %s $1"
    made = orders_v1.request("POST", "/orders", {**GOOD, "customer": odd})[1]
    assert orders_v1.request("GET", f"/orders/{made['id']}")[1]["customer"] == odd


def test_without_a_schema_it_is_alive_and_not_ready(app_trees, app_server, app_database):
    with service(app_trees["v1"], app_server.environment(app_database), "v1") as running:
        assert running.request("GET", "/livez")[0] == 200
        status, answer, headers = running.request("GET", "/readyz")
        assert status == 503
        assert "schema_history" in answer["reason"]
        assert headers["x-app-version"] == "v1"


def test_without_a_database_it_is_alive_and_not_ready(app_trees, app_server):
    gone = {**app_server.environment("nothing-here"), "DB_PORT": "1"}
    with service(app_trees["v1"], gone, "v1", POOL_TIMEOUT_SECONDS="1") as running:
        assert running.request("GET", "/livez")[0] == 200
        assert running.request("GET", "/readyz")[0] == 503
        status, answer, _ = running.request("GET", "/orders")
        assert (status, answer["error"]) == (503, "database: not available, try again")


def test_a_request_in_flight_is_answered_after_sigterm(app_trees, orders_v1, app_server, v1_database):
    database, environment = v1_database
    made = orders_v1.request("POST", "/orders", GOOD)[1]["id"]
    answers = []
    with service(app_trees["v1"], environment, "v1") as leaving, app_server.connect(database) as blocker:
        with blocker.transaction():
            blocker.execute("SELECT 1 FROM orders WHERE id = %s FOR UPDATE", (made,))
            asking = threading.Thread(
                target=lambda: answers.append(leaving.request("PATCH", f"/orders/{made}", {"status": "paid"})[0])
            )
            asking.start()
            with app_server.connect(database) as looker:
                while not looker.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                    pass
            leaving.process.send_signal(signal.SIGTERM)
        asking.join(20)
        leaving.process.wait(20)
    assert answers == [200]


def test_logs_are_json_with_the_request_id_and_without_content(app_trees, v1_database):
    gone = {**v1_database[1], "DB_PORT": "1", "DB_PASSWORD": "hidden-one"}
    with service(app_trees["v1"], gone, "v1", LOG_LEVEL="debug", POOL_TIMEOUT_SECONDS="1") as running:
        running.request("POST", "/orders", {**GOOD, "customer": "secret name"}, **{"x-request-id": "find-me"})
        running.process.terminate()
        lines = running.process.communicate(timeout=30)[0].splitlines()
    found = [json.loads(line) for line in lines]
    assert any(line.get("request_id") == "find-me" and line.get("status") == 503 for line in found)
    assert all(line["version"] == "v1" for line in found)
    assert "secret name" not in "".join(lines)
    assert "hidden-one" not in "".join(lines)
