"""RunTask and what becomes of a task, through the API."""

import os
import signal

import pytest

pytestmark = pytest.mark.slow


def test_a_task_runs_to_its_end(aws):
    arn = aws.run(aws.define("print", "one", "two"))
    task = aws.stopped(arn)
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    (container,) = task["containers"]
    assert (container["name"], container["exitCode"], container["lastStatus"]) == ("app", 0, "STOPPED")
    assert aws.lines(arn) == ["one", "two"]
    assert task["createdAt"] <= task["pullStartedAt"] <= task["startedAt"] <= task["stoppingAt"] <= task["stoppedAt"]
    assert task["attachments"][0]["status"] == "DELETED"


def test_the_exit_code_and_what_it_said_are_there_when_stopped_is(aws):
    task = aws.stopped(aws.run(aws.define("exit", "7")))
    assert task["containers"][0]["exitCode"] == 7
    assert aws.lines(task["taskArn"]) == ["ends with 7"]


def test_a_running_task_is_killed(aws):
    arn = aws.run(aws.define())
    os.kill(aws.pid(arn), signal.SIGKILL)
    task = aws.stopped(arn)
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("EssentialContainerExited", 137)
