"""RunTask and what becomes of a task, through the API."""

import os
import signal

import pytest

from tests.local.ecs.stand_ins import runs

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


def test_sigterm_is_143_and_the_reason_is_the_one_given(aws):
    arn = aws.run(aws.define())
    aws.pid(arn)
    answer = aws.ecs.stop_task(cluster="c", task=arn, reason="enough")["task"]
    assert (answer["desiredStatus"], answer["stoppedReason"]) == ("STOPPED", "enough")
    task = aws.stopped(arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough")
    assert task["containers"][0]["exitCode"] == 143


def test_who_ignores_sigterm_is_killed_after_stop_timeout(aws):
    stubborn = aws.container(command=("stubborn",), stopTimeout=1)
    arn = aws.run(aws.define(containers=[stubborn]))
    aws.pid(arn)
    aws.ecs.stop_task(cluster="c", task=arn)
    task = aws.stopped(arn)
    assert (task["stoppedReason"], task["containers"][0]["exitCode"]) == ("Task stopped by user", 137)


def test_what_a_container_started_ends_with_it(aws):
    arn = aws.run(aws.define("leave"))
    assert aws.stopped(arn)["containers"][0]["exitCode"] == 3
    child = int(aws.lines(arn)[0].split()[1])
    aws.until(lambda: not runs(child), "the child ended")


def test_a_process_that_left_the_group_ends_with_its_container(aws):
    arn = aws.run(aws.define("escape"))
    assert aws.stopped(arn)["containers"][0]["exitCode"] == 0
    child = int(aws.lines(arn)[0].split()[1])
    aws.until(lambda: not runs(child), "the child ended")


def test_a_container_may_close_its_output_and_live_on(aws):
    arn = aws.run(aws.define("silent"))
    os.kill(aws.pid(arn), signal.SIGKILL)
    assert aws.stopped(arn)["containers"][0]["exitCode"] == 137


def test_a_stopped_task_is_forgotten_after_its_hour(aws, monkeypatch):
    arn = aws.stopped(aws.run(aws.define("print", "x")))["taskArn"]
    monkeypatch.setattr("local.ecs.scheduler.STOPPED_TASKS_STAY_SECONDS", 0.0)
    aws.scheduler.wake()
    aws.until(lambda: aws.ecs.describe_tasks(cluster="c", tasks=[arn])["failures"], "forgotten")


def test_a_deleted_log_group_loses_lines_and_nothing_else(aws):
    arn = aws.run(aws.define("polite", "0"))
    aws.pid(arn)
    aws.client("logs").delete_log_group(logGroupName="/app")
    aws.ecs.stop_task(cluster="c", task=arn)
    assert aws.stopped(arn)["containers"][0]["exitCode"] == 0


def test_a_task_goes_through_the_states_of_ecs(aws):
    answer = aws.ecs.run_task(
        cluster="c", taskDefinition=aws.define(), launchType="FARGATE", networkConfiguration=aws.network, startedBy="me"
    )["tasks"][0]
    assert (answer["lastStatus"], answer["desiredStatus"], answer["startedBy"]) == ("PROVISIONING", "RUNNING", "me")
    assert answer["containers"][0]["lastStatus"] == "PENDING"
    assert "exitCode" not in answer["containers"][0]
    arn = answer["taskArn"]
    task = aws.running(arn)
    assert (task["connectivity"], task["launchType"], task["group"].split(":")[0]) == ("CONNECTED", "FARGATE", "family")
    assert task["attachments"][0]["status"] == "ATTACHED"
    interface = {one["name"]: one["value"] for one in task["attachments"][0]["details"]}["networkInterfaceId"]
    ec2 = aws.client("ec2")
    (found,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
    assert (found["PrivateIpAddress"], found["SubnetId"] in aws.subnets) == (aws.address(task), True)
    aws.ecs.stop_task(cluster="c", task=arn)
    aws.stopped(arn)
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_a_task_ends_with_its_essential_container_only(aws):
    containers = [
        aws.container(name="helper", command=("exit", "3"), essential=False),
        aws.container(name="app", command=("serve",)),
    ]
    arn = aws.run(aws.define(containers=containers))
    task = aws.until(
        lambda: (now := aws.task(arn))["containers"][0]["lastStatus"] == "STOPPED" and now, "the helper ended"
    )
    assert (task["lastStatus"], task["containers"][0]["exitCode"]) == ("RUNNING", 3)
    os.kill(aws.pid(arn), signal.SIGKILL)
    assert [one["exitCode"] for one in aws.stopped(arn)["containers"]] == [3, 137]


def test_a_client_token_starts_one_task(aws):
    definition = aws.define()
    first = aws.run(definition, clientToken="t", startedBy="a")
    assert aws.run(definition, clientToken="t", startedBy="a") == first
    with pytest.raises(aws.ecs.exceptions.ConflictException):
        aws.run(definition, clientToken="t", startedBy="b")
    assert aws.ecs.list_tasks(cluster="c")["taskArns"] == [first]


def test_tasks_are_found_by_every_filter(aws):
    one, two = aws.define(family="one"), aws.define(family="two")
    arns = [aws.run(one, startedBy="a"), aws.run(two, startedBy="a"), aws.run(two, startedBy="b")]

    def listed(**filters):
        return [arns.index(arn) for arn in aws.ecs.list_tasks(cluster="c", **filters)["taskArns"]]

    assert listed() == [0, 1, 2]
    assert listed(family="two") == [1, 2]
    assert listed(startedBy="a") == [0, 1]
    assert listed(desiredStatus="STOPPED") == []
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException, match="family"):
        listed(startedBy="a", family="two")
    aws.ecs.stop_task(cluster="c", task=arns[0])
    aws.stopped(arns[0])
    assert listed() == [1, 2]
    assert listed(startedBy="a") == [1]
    assert listed(desiredStatus="STOPPED", family="one") == [0]
    pages = aws.ecs.get_paginator("list_tasks").paginate(cluster="c", PaginationConfig={"PageSize": 1})
    assert [len(page["taskArns"]) for page in pages] == [1, 1]
    with pytest.raises(aws.ecs.exceptions.ServiceNotFoundException):
        listed(serviceName="absent")


def test_an_unknown_task_is_missing_not_an_error(aws):
    answer = aws.ecs.describe_tasks(cluster="c", tasks=["0" * 32])
    assert (answer["tasks"], answer["failures"][0]["reason"]) == ([], "MISSING")
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException, match="not found"):
        aws.ecs.stop_task(cluster="c", task="0" * 32)


def test_a_task_stopped_while_it_starts_does_not_count_as_failed(aws):
    arn = aws.run(aws.define())
    aws.ecs.stop_task(cluster="c", task=arn, reason="too late")
    task = aws.stopped(arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "too late")


def test_a_task_has_a_folder_of_its_own_while_it_lives(aws):
    arn = aws.run(aws.define())
    aws.pid(arn)
    folder = aws.root / "ecs" / "scratch" / arn.rsplit("/", 1)[-1]
    assert folder.is_dir()
    aws.ecs.stop_task(cluster="c", task=arn)
    aws.stopped(arn)
    assert not folder.exists()


def test_a_reset_of_moto_ends_every_task(aws):
    from moto.moto_api._internal.models import moto_api_backend

    pid = aws.pid(aws.run(aws.define()))
    moto_api_backend.reset()
    aws.scheduler.wake()
    aws.until(lambda: not runs(pid), "the task ended", look_at_services=False)
