"""Each step of the story must fail when what it promises is not so: with stand-ins for the engine and for AWS."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from rehearsal import account, gone, ledger, verify
from rehearsal.engine import Outcome
from rehearsal.report import Report
from rehearsal.story import BROKEN, UNHEALTHY, StepError, Story
from rehearsal.weights import Change
from tests.support.listeners import listener

WHY = 'expand e0004 (x.py) failed: column "discount_cents" contains null values; nothing was kept'


class Play:
    """A stage on which everything is as it should be; tests spoil one thing."""

    def __init__(self):
        self.weights = {"blue": 0, "green": 100}
        self.held = {"blue": "v-1", "green": "v-2"}
        self.ran = []
        self.shown = []
        self.outcome = Outcome(began=100.0, seconds=5.0, log=Path("log"))
        self.release = {"previous": {"tasks": 0}, "schemaRevision": "e0003+c0002"}
        self.columns = {"id", "price", "amount_cents"}
        self.drops = {"price"}  # by an `up` that retires the previous color
        self.url = "http://127.0.0.1:1"
        self.database = {"Address": "127.0.0.1", "Port": 1}
        self.running = True
        self.moves = [Change(time=1.0, weights={"v-1": 100})]
        self.left = []
        self.during_up = lambda: None
        stage = SimpleNamespace(
            trees={name: Path(f"/trees/{name}") for name in ("v1", "v2", "v3", "broken-migration", "never-healthy")},
            versions={"v1": "v-1", "v2": "v-2", "v3": "v-3"},
            live=SimpleNamespace(
                weights=lambda: dict(self.weights),
                versions=lambda: dict(self.held),
                weights_by_version=lambda: {self.held[color]: weight for color, weight in self.weights.items()},
                columns=lambda _table: set(self.columns),
                database=lambda: {"Endpoint": self.database},
                client=None,
                prefix="bluegreen-local",
            ),
            engine=SimpleNamespace(
                up=self.up,
                run=self.run,
                destroy=lambda: self.outcome,
                outputs=lambda: {"release": self.release, "url": self.url},
            ),
            generator=SimpleNamespace(running=lambda: self.running),
            embedded=SimpleNamespace(stop=lambda: None, folder=Path("/nobody/knows/this/folder")),
            environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
            report=Report(started=1.0, rps=1),
            show=self.shown.append,
            changes=lambda: list(self.moves),
        )
        self.story = Story(stage)

    def up(self, **settings):
        self.ran.append(settings)
        self.during_up()
        if settings.get("previous") == "retired":
            self.columns -= self.drops
        return self.outcome

    def run(self, operation, arguments, *, events=True):
        self.ran.append((operation, *arguments, events))
        return self.outcomes.pop(0)


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
    assert "nothing moved; it says: e0004" in play.story.failing(BROKEN)

    play.outcome.errors = ["the disk is full"]
    with pytest.raises(StepError, match="does not say 'e0004'"):
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


def test_a_contract_needs_the_old_color_gone(play):
    play.held["green"] = "v-3"
    assert play.story.contract() == "old color at 0 tasks, schema e0003+c0002, orders.price is gone"
    assert play.ran == [{"previous": "retired"}]
    play.columns.add("price")
    play.release["previous"]["tasks"] = 2
    with pytest.raises(StepError, match="2 tasks, expected 0"):
        play.story.contract()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda play: play.release.update(schemaRevision="e0003"), r"schema revision e0003, expected .* \+c0002"),
        (lambda play: play.release.update(schemaRevision="e0003+c0001"), "schema revision"),
        (lambda play: play.drops.clear(), "orders.price is still there"),
        (lambda play: play.columns.discard("price"), "gone before the contract"),
    ],
)
def test_a_contract_must_really_run_and_not_before_its_time(play, spoil, says):
    play.held["green"] = "v-3"
    spoil(play)
    with pytest.raises(StepError, match=says):
        play.story.contract()


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
