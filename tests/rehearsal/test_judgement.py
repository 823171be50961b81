"""What counts as lost, as the wrong color, as missing: each with the twin that must not count."""

import json

import pytest

from rehearsal import ledger, records, report
from rehearsal.records import Record
from rehearsal.report import Report, Step
from rehearsal.verify import Orders
from rehearsal.weights import Timeline, Watch, wrong


def answer(**changes):
    fields = {
        "due": 10.0, "sent": 10.0, "milliseconds": 1.0, "operation": "read", "status": 200, "version": "v1",
        "color": "blue", "error": "",
    }  # fmt: skip
    return Record(**{**fields, "due": changes.get("sent", 10.0), **changes})


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({}, False),
        ({"status": 201}, False),
        ({"status": 204}, False),
        ({"status": 0, "error": "ServerDisconnectedError: x"}, True),
        ({"status": 500}, True),
        ({"status": 503}, True),
        ({"status": 404}, True),
        ({"status": 302}, True),
        ({"error": "wrong content: amount"}, True),
    ],
)
def test_what_counts_as_lost(changes, lost):
    assert answer(**changes).lost is lost


def test_records_are_read_back_as_written_and_a_torn_line_is_left_out(tmp_path):
    path = tmp_path / "requests.tsv"
    kept = [answer(), answer(error="odd\ttext\nhere", status=0, version="")]
    path.write_text(records.HEADER + "".join(each.line() for each in kept) + kept[0].line()[:-9])
    found = list(records.read(path))
    assert found == [kept[0], answer(error="odd text here", status=0, version="")]
    path.write_text("something else\n")
    with pytest.raises(ValueError, match="not a file of requests"):
        list(records.read(path))


def timeline(*changes):
    made = Timeline()
    for time, weights in changes:
        made.add(time, weights)
    return made


SHIFT = timeline((0.0, {"v1": 100}), (10.0, {"v1": 90, "v2": 10}), (20.0, {"v1": 0, "v2": 100}))


@pytest.mark.parametrize(
    ("version", "sent", "counts"),
    [
        ("v1", 5.0, False),
        ("v2", 9.9, True),  # before its first share
        ("v2", 9.9995, False),  # sent just before it, answered just after
        ("v2", 10.0, False),
        ("v1", 19.999, False),  # on its way when the last step came: no fault
        ("v1", 20.0, True),
        ("v1", 25.0, True),
        ("v9", 25.0, True),  # a version that never had any
        ("", 25.0, False),  # no version answered: that is lost, not astray
        ("v1", -1.0, False),  # before anything is known
    ],
)
def test_who_answers_with_weight_0_is_the_wrong_color(version, sent, counts):
    assert bool(wrong([answer(version=version, sent=sent)], SHIFT)) is counts


def test_nothing_is_said_about_a_time_in_which_weights_moved_too_fast():
    fast = timeline((0.0, {"v1": 100}), (10.0, None), (10.1, {"v2": 100}))
    assert not wrong([answer(version="v2", sent=10.05), answer(version="v1", sent=10.05)], fast)
    assert wrong([answer(version="v1", sent=10.2)], fast)


def test_the_watch_reads_the_weights_after_every_change():
    calls = iter([([], 4), ([(9.9, 10.0)], 5), ([], 5), ([(19.9, 20.0)], 6), ([(20.9, 21.0)], 7), ([], 7)])
    looks = iter([{"v1": 100}, {"v2": 100}, {"v1": 50}, {"v1": 100}])
    watch = Watch(lambda _since: next(calls), lambda: next(looks))
    watch._seen = watch._calls(0)[1]
    watch.timeline.add(0.0, watch._look())
    watch._once()
    watch._once()  # a second change came between the first and the look: looked again
    found = [(change.time, change.weights) for change in watch.timeline.changes]
    assert found == [
        (0.0, {"v1": 100}),
        (9.9, None),
        (10.0, {"v2": 100}),
        (19.9, None),
        (21.0, {"v1": 100}),
    ]


def good_report():
    made = Report(started=1.0, rps=300, complete=True)
    made.steps = [Step(name="a", ok=True), Step(name="b", ok=True)]
    made.traffic = report.traffic([answer(), answer(sent=11.0)], SHIFT)
    made.orders = Orders(expected=3)
    return made


def test_a_report_is_good_only_when_everything_held():
    assert good_report().ok
    breaks = {
        "lost": lambda made: setattr(made.traffic, "lost", 1),
        "wrong color": lambda made: setattr(made.traffic, "wrong_color", 1),
        "missing": lambda made: setattr(made.orders, "missing", 1),
        "wrong content": lambda made: setattr(made.orders, "wrong", 1),
        "no load at all": lambda made: setattr(made.traffic, "requests", 0),
        "story ended early": lambda made: setattr(made, "complete", False),
        "step failed": lambda made: setattr(made.steps[1], "ok", False),
    }
    for name, spoil in breaks.items():
        made = good_report()
        spoil(made)
        assert not made.ok, name


def test_the_json_has_the_promised_keys(tmp_path):
    made = good_report()
    made.save(tmp_path / "latest.json")
    found = json.loads((tmp_path / "latest.json").read_text())
    promised = {"requests", "lost", "wrong_color", "orders", "orders_missing", "seconds", "steps"}
    assert promised <= set(found)
    assert {"name", "seconds", "ok", "detail"} <= set(found["steps"][0])
    assert (found["requests"], found["orders"], found["ok"]) == (2, 3, True)
    assert any(line.startswith("ok") and " a " in line for line in made.table())


def test_the_last_answer_is_found_inside_the_window():
    found = [answer(version="v2", sent=at) for at in (9.0, 11.0, 12.5, 30.0)] + [answer(version="v1", sent=13.0)]
    assert report.last_answer(found, "v2", 10.0, 20.0) == 12.5
    assert report.last_answer(found, "v3", 10.0, 20.0) is None


def test_contents_are_legal_orders_and_differ_with_every_change():
    from app import orders

    seen = []
    for change in range(5):
        content = ledger.content("r1", 41, change)
        orders.Money.parse(content["amount"], content["currency"])
        assert content["status"] in orders.STATUSES
        seen.append(tuple(content.values()))
    assert len(set(seen)) == 5
    assert ledger.differs(ledger.content("r1", 41, 2), [ledger.content("r1", 41, 2)]) is None
    assert "amount" in ledger.differs(ledger.content("r1", 41, 3), [ledger.content("r1", 41, 2)])


def test_a_change_without_an_answer_leaves_two_right_contents(tmp_path):
    sure, unsure, busy = (
        ledger.Written(1, 11, 2),
        ledger.Written(2, 12, 2, unsure=True),
        ledger.Written(3, 13, busy=True),
    )
    ledger.save(tmp_path / "orders.jsonl", "r1", [sure, unsure, busy])
    run, found = ledger.load(tmp_path / "orders.jsonl")
    assert run == "r1"
    assert [len(found[each].contents(run)) for each in (11, 12, 13)] == [1, 2, 2]
    assert found[12].contents("r1") == [ledger.content("r1", 2, 2), ledger.content("r1", 2, 3)]


def test_the_slowest_request_is_that_of_its_time():
    found = [answer(sent=9.9, milliseconds=900.0), answer(sent=10.0, milliseconds=7.04), answer(sent=11.0)]
    assert report.slowest(found, (10.0, 12.0)) == 7.0
    assert report.slowest(found, (20.0, 30.0)) is None
