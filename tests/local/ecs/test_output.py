"""A container's output on its way into the log stream, and its command and environment, without any process."""

import sys
from pathlib import Path

import pytest

from local.contracts import Image
from local.ecs.command import command, environment, in_image
from local.ecs.errors import StartFailure
from local.ecs.logs import LINE_LIMIT, LogSink, LogStream


class Sink(LogSink):
    """Keeps what would be put into the stream."""

    def __init__(self):
        super().__init__(LogStream("1", "r", "g", "s"))
        self.put = []

    def _put(self, events):
        self.put += events


def messages(*pieces):
    sink = Sink()
    for piece in pieces:
        sink.feed(piece)
    sink.flush(last=False)
    whole = [event["message"] for event in sink.put]
    sink.flush(last=True)
    return whole, [event["message"] for event in sink.put[len(whole) :]]


@pytest.mark.parametrize(
    ("pieces", "whole", "rest"),
    [
        ([b"one\ntwo\n"], ["one", "two"], []),
        ([b"o", b"ne\ntw", b"o"], ["one"], ["two"]),
        ([b"\n\r\n \n"], [" "], []),
        ([b"caf\xc3", b"\xa9\n"], ["caf\u00e9"], []),
        ([b"broken \xff\n"], ["broken \ufffd"], []),
        ([b"windows\r\n"], ["windows"], []),
        ([b"x" * (LINE_LIMIT + 5)], ["x" * LINE_LIMIT], ["x" * 5]),
        ([b"x" * (2 * LINE_LIMIT + 5) + b"\n"], ["x" * LINE_LIMIT, "x" * LINE_LIMIT, "x" * 5], []),
    ],
)
def test_output_becomes_lines(pieces, whole, rest):
    assert messages(*pieces) == (whole, rest)


def test_times_never_go_back(monkeypatch):
    clock = iter([10.0, 9.0, 11.0])
    monkeypatch.setattr("local.ecs.logs.time.time", lambda: next(clock))
    sink = Sink()
    for word in (b"a\n", b"b\n", b"c\n"):
        sink.feed(word)
    sink.flush(last=True)
    assert [event["timestamp"] for event in sink.put] == [10000, 10000, 11000]


@pytest.fixture
def image(tmp_path):
    (tmp_path / "srv").mkdir()
    return Image(
        digest="sha256:0",
        rootfs=tmp_path,
        command=("image-command",),
        entrypoint=(sys.executable,),
        workdir="/srv",
        environment={"PATH": "/image/bin", "A": "image"},
        stop_signal="SIGTERM",
    )


@pytest.mark.parametrize(
    ("definition", "override", "argv"),
    [
        ({}, {}, [sys.executable, "image-command"]),
        ({"command": ["d"]}, {}, [sys.executable, "d"]),
        ({"command": ["d"]}, {"command": ["o", "p"]}, [sys.executable, "o", "p"]),
        ({"command": []}, {}, [sys.executable]),
        ({"entryPoint": [sys.executable, "-m"]}, {}, [sys.executable, "-m"]),
        ({"entryPoint": [sys.executable], "command": ["d"]}, {}, [sys.executable, "d"]),
    ],
)
def test_command(image, definition, override, argv):
    found = command(image, {"name": "app", **definition}, override, {"PATH": ""})
    assert list(found.argv) == argv
    assert (found.program, found.directory) == (sys.executable, image.rootfs / "srv")


def test_a_program_of_the_image_wins_over_the_host(image):
    own = image.rootfs / "bin" / "sh"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    assert command(image, {"name": "app", "entryPoint": ["/bin/sh"]}, {}, {}).program == str(own)


@pytest.mark.parametrize("asked", ["/no/such", "no-such", "./no-such"])
def test_a_program_that_is_not_there(image, asked):
    with pytest.raises(StartFailure, match="CannotStartContainerError") as caught:
        command(image, {"name": "app", "entryPoint": [asked]}, {}, {"PATH": "/nowhere"})
    assert caught.value.container == "app"


def test_paths_of_the_image_stay_in_it():
    assert in_image(Path("/images/1"), "../../etc/passwd") == Path("/images/1/etc/passwd")


def test_environment(image):
    found = environment(
        image,
        {"environment": [{"name": "A", "value": "definition"}, {"name": "S", "value": "shadowed"}]},
        {"environment": [{"name": "O", "value": "override"}]},
        {"S": "secret"},
        {"HOST": "127.64.0.1", "HOME": "/own"},
    )
    assert found == {
        "A": "definition",
        "HOME": "/own",
        "HOST": "127.64.0.1",
        "O": "override",
        "PATH": "/image/bin",
        "S": "secret",
    }
