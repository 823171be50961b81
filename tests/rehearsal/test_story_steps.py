"""Each step of the story must fail when what it promises is not so: with stand-ins for the engine and for AWS."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from rehearsal import account, gone, ledger, verify
from rehearsal.acting import StepError
from rehearsal.engine import Outcome
from rehearsal.story import BROKEN, UNHEALTHY
from rehearsal.weights import Change
from tests.rehearsal.play import WHY, Play
from tests.support.listeners import listener


@pytest.fixture
def play():
    return Play()


def test_a_release_asks_for_the_tree_and_keeps_the_previous_version(play):
    assert play.story.release("v2") == "v2 serves (v-2), blue 0 / green 100"
    assert play.ran == [{"context": "/trees/v2", "version": "", "previous": "warm"}]


def test_a_rollback_asks_for_the_version_by_name(play):
    play.weights = {"blue": 100, "green": 0}
    play.during_up = lambda: play.moves.append(Change(time=103.5, weights={"v-1": 100}))
    assert play.story.roll_back().endswith("flip 3.5 s after the command")
    assert play.ran == [{"version": "v-1"}]


@pytest.mark.parametrize("weights", [{"blue": 100, "green": 0}, {"blue": 10, "green": 90}, {"blue": 0, "green": 0}])
def test_a_release_that_does_not_have_all_the_traffic_fails(play, weights):
    play.weights = weights
    with pytest.raises(StepError, match="expected v-2"):
        play.story.release("v2")


def test_a_release_that_pulumi_fails_is_told_with_its_message(play):
    play.outcome.code, play.outcome.errors = 255, ["boom"]
    with pytest.raises(StepError, match="exit code 255: boom"):
        play.story.release("v2")


def test_a_load_that_ended_is_noticed(play):
    play.running = False
    with pytest.raises(StepError, match="ended by itself"):
        play.story.release("v2")


def test_a_failing_release_must_fail_for_its_own_reason(play):
    play.outcome.code, play.outcome.errors = 1, [f"1 error occurred: {WHY}"]
    assert "nothing moved; it says: expand e0004" in play.story.failing(BROKEN)

    play.outcome.errors = ["the disk is full"]
    with pytest.raises(StepError, match="does not say 'expand e0004"):
        play.story.failing(BROKEN)
    play.outcome.errors = [WHY]
    with pytest.raises(StepError, match="does not say 'price service"):
        play.story.failing(UNHEALTHY)
    play.outcome.code = 0
    with pytest.raises(StepError, match="succeeded, expected it to fail"):
        play.story.failing(BROKEN)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda play: play.weights.update(blue=10, green=90),
        lambda play: play.moves.append(Change(time=2.0, weights={"v-1": 100})),  # there and back
        lambda play: play.held.update(green="v-9"),
    ],
)
def test_a_failing_release_must_move_nothing(play, spoil):
    play.outcome.code, play.outcome.errors = 1, [WHY]
    play.during_up = lambda: spoil(play)
    with pytest.raises(StepError, match=r"weights moved|holds v-9"):
        play.story.failing(BROKEN)


def test_the_idle_color_may_be_given_the_failing_version(play):
    play.outcome.code, play.outcome.errors = 1, [WHY]
    play.during_up = lambda: play.held.update(blue="v-broken")
    assert play.story.failing(BROKEN)


@pytest.fixture
def three(play, tmp_path):
    """What the three runs without a change leave."""
    log = tmp_path / "04-preview.txt"
    log.write_text("Previewing update (local):\n\nResources:\n    92 unchanged\n")
    play.outcomes = [Outcome(began=1.0, seconds=2.0, log=log) for _ in range(3)]
    return play.outcomes


@pytest.mark.usefixtures("three")
def test_after_a_release_nothing_is_to_do(play):
    assert play.story.no_change() == "none of them found a change"
    assert play.shown == [f"pulumi {name}: no change, 2.0 s" for name in ("preview", "up --refresh", "preview --diff")]
    assert play.ran == [
        ("preview", "--expect-no-changes", True),
        ("up", "--refresh", "--skip-preview", "--yes", "--expect-no-changes", True),
        ("preview", "--diff", "--expect-no-changes", False),
    ]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_change_where_none_was_asked_for_is_told(play, three, number):
    three[number].code, three[number].errors = 255, ["no changes were expected but changes were proposed"]
    name = ("preview", "up --refresh", "preview --diff")[number]
    with pytest.raises(StepError, match=f"^{name}: exit code 255, expected no change: no changes were expected"):
        play.story.no_change()


def test_a_diff_without_its_summary_is_told(play, three):
    three[2].log.write_text("Previewing update (local):\n")
    with pytest.raises(StepError, match="preview --diff: no line says how much is unchanged"):
        play.story.no_change()


@pytest.fixture
def account_left(monkeypatch):
    found = []
    monkeypatch.setattr(account, "leftovers", lambda _client, _prefix: found)
    return found


def test_what_is_left_in_the_account_is_named(play, account_left):
    assert play.story.nothing_left() == "no resource, and none of 0 processes and 0 ports"
    account_left += ["VPC vpc-1", "role x"]
    with pytest.raises(StepError, match="2 left in the account: VPC vpc-1, role x"):
        play.story.nothing_left()


@pytest.mark.usefixtures("account_left")
def test_what_ran_before_the_destroy_must_be_gone_after_it(play, tmp_path, monkeypatch):
    monkeypatch.setattr(gone, "_LOOK_SECONDS", 0.2)
    play.story.stage.embedded.folder = tmp_path
    with listener(tmp_path) as (process, port):
        play.url, play.database = f"http://127.0.0.1:{port}", {"Address": "127.0.0.1", "Port": port}
        play.story.destroy()
        assert play.story.addresses == {("127.0.0.1", port)}
        assert [each.pid for each in play.story.processes] == [process.pid]
        with pytest.raises(StepError, match=f"1 still run: process {process.pid} "):
            play.story.nothing_left()
    assert play.story.nothing_left() == "no resource, and none of 1 processes and 1 ports"


@pytest.mark.usefixtures("account_left")
def test_a_port_that_answers_at_the_end_is_named(play):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        play.story.addresses = {("127.0.0.1", port)}
        with pytest.raises(StepError, match=f"still answers at 127.0.0.1:{port}"):
            play.story.nothing_left()


@pytest.mark.parametrize("what", ["url", "database"])
def test_the_addresses_must_answer_before_the_destroy(play, what):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        play.url = f"http://127.0.0.1:{port if what != 'url' else 1}"
        play.database = {"Address": "127.0.0.1", "Port": port if what != "database" else 1}
        with pytest.raises(StepError, match=r"nothing answers at 127.0.0.1:1, expected it until the destroy"):
            play.story.destroy()


@pytest.fixture
def shop():
    """Answers pages of `rows`, as the service does."""
    rows = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            query = parse_qs(urlsplit(self.path).query)
            before = int(query.get("before", ["99999"])[0])
            page = [row for row in sorted(rows, key=lambda row: -row["id"]) if row["id"] < before][:2]
            payload = json.dumps({"orders": page}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", rows
    server.shutdown()
    server.server_close()
    thread.join()


def test_every_order_is_asked_for_and_compared(shop, tmp_path):
    url, rows = shop
    written = [ledger.Written(number, number + 10, change=number % 3, unsure=number == 4) for number in range(7)]
    path = tmp_path / "orders.jsonl"
    ledger.save(path, "r", written)
    rows += [{"id": each.id, **ledger.content("r", each.number, each.change)} for each in written]
    rows.append({"id": 999, "reference": "an order whose answer was lost"})
    found = verify.orders(url, path)
    assert (found.expected, found.missing, found.wrong) == (7, 0, 0)

    rows[4].update(ledger.content("r", 4, written[4].change + 1))  # unsure: the change may have come through
    assert verify.orders(url, path).good
    rows[5].update(ledger.content("r", 5, written[5].change + 1))  # sure: it may not
    del rows[0]
    found = verify.orders(url, path)
    assert (found.expected, found.missing, found.wrong) == (7, 1, 1)
    assert not found.good
    assert any("not there" in example for example in found.examples)
