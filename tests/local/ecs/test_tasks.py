"""RunTask and what becomes of a task, through the API."""

import dataclasses
import os
import re
import signal
from pathlib import Path

import pytest

from local.ecs.checks import Check

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


def test_the_environment_is_put_together_as_on_ecs(aws):
    names = ("FROM_IMAGE", "BOTH", "TWICE", "HOST", "AWS_REGION", "PATH")
    container = aws.container(
        command=("env", *names),
        environment=[{"name": "BOTH", "value": "definition"}, {"name": "TWICE", "value": "definition"}],
    )
    override = {
        "name": "app",
        "environment": [{"name": "TWICE", "value": "override"}, {"name": "HOST", "value": "127.0.0.1"}],
    }
    arn = aws.run(aws.define(containers=[container]), overrides={"containerOverrides": [override]})
    task = aws.stopped(arn)
    said = dict(line.split("=", 1) for line in aws.lines(arn))
    assert (said["FROM_IMAGE"], said["BOTH"], said["TWICE"]) == ("yes", "definition", "override")
    assert said["HOST"] == aws.address(task) == task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    assert said["HOST"].startswith("127.64.")
    assert said["cwd"].endswith("/app")
    assert "AWS_SECRET_ACCESS_KEY" not in said["names"]
    assert "PYTEST_CURRENT_TEST" not in said["names"]


def test_an_override_replaces_the_command(aws):
    arn = aws.run(
        aws.define("exit", "1"), overrides={"containerOverrides": [{"name": "app", "command": ["print", "instead"]}]}
    )
    task = aws.stopped(arn)
    assert (task["containers"][0]["exitCode"], aws.lines(arn)) == (0, ["instead"])
    assert task["overrides"]["containerOverrides"] == [{"name": "app", "command": ["print", "instead"]}]


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


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"image": "nowhere/app:1"}, "CannotPullContainerError: pull image manifest: nowhere/app:1: not found"),
        (
            {"entryPoint": ["nothing-like-it"]},
            'CannotStartContainerError: .*"nothing-like-it": executable file not found',
        ),
        ({"entryPoint": ["/no/such/file"]}, 'CannotStartContainerError: .*"/no/such/file": no such file or directory'),
        ({"workingDirectory": "/absent"}, "CannotStartContainerError: no such working directory in the image"),
        (
            {
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": "/absent",
                        "awslogs-region": "eu-west-1",
                        "awslogs-stream-prefix": "blue",
                    },
                }
            },
            "ResourceInitializationError: failed to validate logger args: .*The specified log group does not exist",
        ),
        (
            {
                "secrets": [
                    {"name": "S", "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-AbCdEf"}
                ]
            },
            "ResourceInitializationError: unable to pull secrets or registry auth: .*ResourceNotFoundException",
        ),
    ],
)
def test_a_task_that_cannot_start_says_why(aws, fields, reason):
    arn = aws.run(aws.define(containers=[aws.container(**fields)]))
    task = aws.stopped(arn)
    assert task["stopCode"] == "TaskFailedToStart"
    assert re.match(reason, task["stoppedReason"]), task["stoppedReason"]
    assert "exitCode" not in task["containers"][0]
    assert "startedAt" not in task


def test_a_script_whose_interpreter_is_missing_fails_to_start(aws):
    script = aws.images.known[aws.image].rootfs / "app" / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    arn = aws.run(aws.define(containers=[aws.container(entryPoint=["/app/script"])]))
    task = aws.stopped(arn)
    assert task["stopCode"] == "TaskFailedToStart"
    assert "no such file or directory" in task["containers"][0]["reason"]


def test_secrets_are_resolved_by_the_arn_rules_of_ecs(aws):
    secrets, ssm = aws.client("secretsmanager"), aws.client("ssm")
    made = secrets.create_secret(Name="shop/db", SecretString='{"password": "first", "port": 5432}')
    arn = made["ARN"]
    secrets.put_secret_value(SecretId=arn, SecretString='{"password": "second", "port": 5432}')
    ssm.put_parameter(Name="/shop/plain", Value="from ssm", Type="String")
    ssm.put_parameter(Name="sealed", Value="sealed value", Type="SecureString")
    references = {
        "WHOLE": arn,
        "KEY": f"{arn}:password::",
        "NUMBER": f"{arn}:port::",
        "STAGE": f"{arn}:password:AWSPREVIOUS:",
        "VERSION": f"{arn}:password::{made['VersionId']}",
        "PARAMETER": "/shop/plain",
        "PARAMETER_ARN": "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/plain",
        "SEALED": "arn:aws:ssm:eu-west-1:123456789012:parameter/sealed",
    }
    container = aws.container(
        command=("env", *references), secrets=[{"name": name, "valueFrom": value} for name, value in references.items()]
    )
    task = aws.stopped(aws.run(aws.define(containers=[container])))
    assert task["stopCode"] == "EssentialContainerExited", task["stoppedReason"]
    said = dict(line.split("=", 1) for line in aws.lines(task["taskArn"]))
    assert {name: said[name] for name in references} == {
        "WHOLE": '{"password": "second", "port": 5432}',
        "KEY": "second",
        "NUMBER": "5432",
        "STAGE": "first",
        "VERSION": "first",
        "PARAMETER": "from ssm",
        "PARAMETER_ARN": "from ssm",
        "SEALED": "sealed value",
    }


@pytest.mark.parametrize(
    ("suffix", "reason"),
    [
        (":absent::", "did not contain json key absent"),
        (":password:NEVER:", "ResourceNotFoundException"),
        (":password", "unexpected ARN format"),
    ],
)
def test_a_secret_that_has_no_such_part_fails_the_start(aws, suffix, reason):
    arn = aws.client("secretsmanager").create_secret(Name="shop/db", SecretString='{"password": "x"}')["ARN"]
    container = aws.container(secrets=[{"name": "S", "valueFrom": arn + suffix}])
    task = aws.stopped(aws.run(aws.define(containers=[container])))
    assert task["stopCode"] == "TaskFailedToStart"
    assert reason in task["stoppedReason"]


def test_a_missing_parameter_is_named(aws):
    container = aws.container(secrets=[{"name": "S", "valueFrom": "absent"}])
    task = aws.stopped(aws.run(aws.define(containers=[container])))
    assert task["stoppedReason"].endswith("invalid ssm parameters: absent")


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


def test_a_container_waits_for_those_it_depends_on(aws):
    containers = [
        aws.container(
            name="app",
            command=("print", "after"),
            dependsOn=[{"containerName": "before", "condition": "SUCCESS"}],
        ),
        aws.container(name="before", command=("print", "first"), essential=False),
    ]
    task = aws.stopped(aws.run(aws.define(containers=containers)))
    assert [one["exitCode"] for one in task["containers"]] == [0, 0]
    containers[1]["command"] = ["exit", "4"]
    task = aws.stopped(aws.run(aws.define(containers=containers)))
    assert task["stopCode"] == "TaskFailedToStart"
    assert "exited with 4, expected 0" in task["containers"][0]["reason"]


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


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def test_roles_must_be_there_and_trust_ecs_tasks(aws):
    lambdas = aws.new_role("lambdas", "lambda.amazonaws.com")
    for role in (lambdas, lambdas.replace("lambdas", "absent")):
        task = aws.stopped(aws.run(aws.define(taskRoleArn=role)))
        assert task["stopCode"] == "TaskFailedToStart"
        assert task["stoppedReason"].startswith(f"ECS was unable to assume the role '{role}'")


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


def checked(aws, *command, **fields):
    check = {"command": list(command), "interval": 5, "timeout": 2, "retries": 1, **fields}
    return aws.container(healthCheck=check)


@pytest.fixture
def quick_checks(monkeypatch):
    """The shortest interval that ECS allows is too long for a test."""
    original = Check.of
    monkeypatch.setattr(
        Check, "of", lambda definition: (one := original(definition)) and dataclasses.replace(one, interval=0.05)
    )


@pytest.mark.usefixtures("quick_checks")
def test_a_health_check_runs_beside_its_container(aws):
    container = checked(aws, "CMD-SHELL", "test -e healthy && test -n $FROM_IMAGE")
    arn = aws.run(aws.define(containers=[container]))
    aws.running(arn)
    assert aws.until(lambda: aws.task(arn)["healthStatus"] == "UNHEALTHY", "unhealthy")
    (aws.images.known[aws.image].rootfs / "app" / "healthy").touch()
    task = aws.until(lambda: (now := aws.task(arn))["healthStatus"] == "HEALTHY" and now, "healthy")
    assert (task["lastStatus"], task["containers"][0]["healthStatus"]) == ("RUNNING", "HEALTHY")


@pytest.mark.usefixtures("quick_checks")
def test_a_container_waits_until_another_is_healthy(aws):
    app = aws.container(command=("print", "now"), dependsOn=[{"containerName": "db", "condition": "HEALTHY"}])
    db = {**checked(aws, "CMD", "test", "-e", "healthy"), "name": "db", "essential": False, "portMappings": []}
    arn = aws.run(aws.define(containers=[app, {**db, "healthCheck": {**db["healthCheck"], "startPeriod": 300}}]))
    aws.until(lambda: aws.task(arn)["containers"][1]["lastStatus"] == "RUNNING", "db runs")
    assert aws.task(arn)["containers"][0]["lastStatus"] == "PENDING"
    (aws.images.known[aws.image].rootfs / "app" / "healthy").touch()
    assert aws.stopped(arn)["containers"][0]["exitCode"] == 0
    assert aws.lines(arn) == ["now"]


def test_a_check_that_hangs_is_a_failed_check(aws, monkeypatch):
    original = Check.of
    monkeypatch.setattr(
        Check,
        "of",
        lambda definition: (one := original(definition)) and dataclasses.replace(one, interval=0.05, timeout=0.2),
    )
    arn = aws.run(aws.define(containers=[checked(aws, "CMD", "sleep", "600")]))
    aws.until(lambda: aws.task(arn)["healthStatus"] == "UNHEALTHY", "unhealthy")
