"""Container health checks."""

import dataclasses

import pytest

from local.ecs.checks import Check

pytestmark = pytest.mark.slow
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}


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


def test_a_container_that_fails_its_own_check_is_replaced(aws, monkeypatch):
    original = Check.of
    monkeypatch.setattr(
        Check, "of", lambda definition: (one := original(definition)) and dataclasses.replace(one, interval=0.05)
    )
    check = {"command": ["CMD-SHELL", "exit 1"], "interval": 5, "retries": 1}
    definition = aws.define(containers=[aws.container(healthCheck=check)])
    answered = aws.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]["containerDefinitions"][0]
    assert answered["healthCheck"] == {**check, "timeout": 5}
    aws.service(definition, count=1, group=aws.target_group(), deploymentConfiguration=BREAKER)
    aws.until(lambda: aws.look()["deployments"][0]["rolloutState"] == "FAILED", "deployment fails")
    task = aws.tasks_of(status="STOPPED")[0]
    assert task["stoppedReason"] == "Task failed container health checks"
