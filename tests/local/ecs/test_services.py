"""The service scheduler, through the API."""

import os
import signal

import pytest

pytestmark = pytest.mark.slow
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
ROLL_BACK = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def started(aws, name="s"):
    return [task["taskArn"] for task in aws.tasks_of(name)]


def keep_healthy(aws, name="s"):
    """The tasks of now stay healthy; what starts later is not healthy yet."""
    aws.targets.answer.update({aws.address(task): "healthy" for task in aws.tasks_of(name)})
    aws.targets.default = "initial"


def said(aws, text, name="s"):
    return any(text in event["message"] for event in aws.look(name)["events"])


def test_a_service_without_tasks_is_steady_at_once(aws):
    aws.service(aws.define(), count=0)
    found = aws.steady()
    assert (found["runningCount"], found["pendingCount"], found["desiredCount"]) == (0, 0, 0)
    assert found["deployments"][0]["rolloutState"] == "COMPLETED"


def test_steady_means_healthy_in_the_target_group(aws):
    aws.targets.default = "initial"
    aws.service(aws.define(), group=aws.target_group())
    aws.until(lambda: aws.look()["runningCount"] == 2, "two run")
    assert aws.look()["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    first, second = (aws.address(task) for task in aws.tasks_of())
    aws.targets.answer[first] = "healthy"
    seen = len(aws.look()["events"])
    aws.targets.answer[second] = "healthy"
    found = aws.steady()
    assert seen
    assert "has reached a steady state" in found["events"][0]["message"]
    assert any("deployment completed" in event["message"] for event in found["events"])


def test_a_crashed_task_leaves_its_target_group_and_is_replaced(aws):
    aws.service(aws.define(), group=aws.target_group())
    aws.steady()
    victim = aws.tasks_of()[0]
    os.kill(aws.pid(victim["taskArn"]), signal.SIGKILL)
    aws.until(lambda: ("deregister", aws.address(victim)) in aws.targets.events, "deregistered")
    aws.stopped(victim["taskArn"])
    aws.until(lambda: len(set(started(aws)) - {victim["taskArn"]}) == 2, "replaced")
    assert ("drained", aws.address(victim)) not in aws.targets.events
    aws.steady()


def test_a_new_task_definition_rolls(aws):
    family = "rolling"
    aws.service(aws.define(family=family), group=aws.target_group())
    aws.steady()
    old = set(started(aws))
    keep_healthy(aws)
    new = aws.define(family=family)
    aws.ecs.update_service(cluster="c", service="s", taskDefinition=new)
    deployments = aws.look()["deployments"]
    assert [one["status"] for one in deployments] == ["PRIMARY", "ACTIVE"]
    assert deployments[0]["taskDefinition"] == new
    fresh = aws.until(lambda: len(found := set(started(aws)) - old) == 2 and found, "two more start")
    # minimumHealthyPercent 100: while the new ones are not healthy, none of the old may go.
    aws.until(lambda: aws.look()["deployments"][0]["runningCount"] == 2, "new ones run")
    assert old <= set(started(aws))
    aws.targets.default = "healthy"
    found = aws.steady()
    assert set(started(aws)) == fresh
    assert found["taskDefinition"] == new
    for arn in old:
        task = aws.stopped(arn)
        assert task["stopCode"] == "ServiceSchedulerInitiated"
        assert task["stoppedReason"] == f"Scaling activity initiated by (deployment {found['deployments'][0]['id']})"
        assert task["containers"][0]["exitCode"] == 143


def test_an_old_task_is_drained_before_it_is_told_to_end(aws):
    aws.service(aws.define("polite", "0"), count=1, group=aws.target_group())
    aws.steady()
    (task,) = aws.tasks_of()
    aws.pid(task["taskArn"])
    aws.targets.drain_held = True
    aws.ecs.update_service(cluster="c", service="s", desiredCount=0)
    aws.until(lambda: aws.task(task["taskArn"])["lastStatus"] == "DEACTIVATING", "draining")
    assert ("deregister", aws.address(task)) in aws.targets.events
    assert "asked to end" not in aws.lines(task["taskArn"])
    aws.targets.drain_held = False
    assert aws.stopped(task["taskArn"])["containers"][0]["exitCode"] == 0
    assert "asked to end" in aws.lines(task["taskArn"])


def test_force_new_deployment_replaces_all_tasks(aws):
    aws.service(aws.define(), group=aws.target_group())
    before, old = aws.steady(), set(started(aws))
    aws.ecs.update_service(cluster="c", service="s", forceNewDeployment=True)
    aws.until(lambda: not set(started(aws)) & old, "all replaced")
    after = aws.steady()
    assert after["deployments"][0]["id"] != before["deployments"][0]["id"]
    assert after["taskDefinition"] == before["taskDefinition"]


def test_scaling_starts_no_deployment(aws):
    aws.service(aws.define(), count=1, group=aws.target_group())
    before = aws.steady()
    aws.ecs.update_service(cluster="c", service="s", desiredCount=3)
    aws.until(lambda: aws.look()["runningCount"] == 3, "three run")
    assert aws.look()["deployments"][0]["id"] == before["deployments"][0]["id"]
    aws.ecs.update_service(cluster="c", service="s", desiredCount=1)
    aws.until(lambda: aws.look()["runningCount"] == 1 and len(started(aws)) == 1, "one runs")


def test_the_circuit_breaker_fails_a_deployment_whose_tasks_exit(aws):
    good = aws.define(family="breaker")
    aws.service(good, group=aws.target_group(), deploymentConfiguration=BREAKER)
    aws.steady()
    old = set(started(aws))
    keep_healthy(aws)
    bad = aws.define("exit", "1", family="breaker")
    aws.ecs.update_service(cluster="c", service="s", taskDefinition=bad)
    found = aws.until(
        lambda: (now := aws.look())["deployments"][0]["rolloutState"] == "FAILED" and now, "deployment fails"
    )
    primary, active = found["deployments"]
    assert primary["failedTasks"] >= 3
    assert primary["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert (primary["taskDefinition"], active["taskDefinition"], active["runningCount"]) == (bad, good, 2)
    aws.until(lambda: set(started(aws)) == old, "only the old ones are left")
    stopped = aws.tasks_of(status="STOPPED")
    assert {task["containers"][0]["exitCode"] for task in stopped} == {1}
    assert said(aws, "deployment failed: tasks failed to start")


def test_the_circuit_breaker_rolls_back(aws):
    good = aws.define(family="back")
    aws.service(good, count=1, group=aws.target_group(), deploymentConfiguration=ROLL_BACK)
    before, old = aws.steady(), started(aws)
    keep_healthy(aws)
    bad = aws.define("exit", "1", family="back")
    aws.ecs.update_service(cluster="c", service="s", taskDefinition=bad)
    aws.until(lambda: said(aws, "rolling back to deployment"), "rolls back")
    after = aws.steady()
    assert (after["taskDefinition"], started(aws)) == (good, old)
    assert after["deployments"][0]["id"] == before["deployments"][0]["id"]
    listed = aws.ecs.list_service_deployments(cluster="c", service="s")["serviceDeployments"]
    assert sorted(one["status"] for one in listed) == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]


def test_a_task_that_never_gets_healthy_is_replaced_and_counted(aws):
    aws.targets.default = "unhealthy"
    aws.service(aws.define(), count=1, group=aws.target_group(), deploymentConfiguration=BREAKER)
    aws.until(lambda: aws.look()["deployments"][0]["rolloutState"] == "FAILED", "deployment fails")
    task = aws.tasks_of(status="STOPPED")[0]
    assert task["stopCode"] == "ServiceSchedulerInitiated"
    assert task["stoppedReason"].startswith("Task failed ELB health checks in (target-group arn:")


def test_the_grace_period_keeps_an_unhealthy_task(aws):
    aws.targets.default = "unhealthy"
    aws.service(aws.define(), count=1, group=aws.target_group(), healthCheckGracePeriodSeconds=3600)
    aws.until(lambda: aws.look()["runningCount"] == 1, "runs")
    (task,) = aws.tasks_of()
    aws.targets.default = "healthy"
    aws.steady()
    assert started(aws) == [task["taskArn"]]


def test_a_task_that_became_unhealthy_stays_until_its_replacement_is_healthy(aws):
    aws.service(aws.define(), count=1, group=aws.target_group())
    aws.steady()
    (task,) = aws.tasks_of()
    aws.targets.default = "initial"
    aws.targets.answer[aws.address(task)] = "unhealthy"
    aws.until(lambda: aws.look()["runningCount"] == 2, "replacement runs")
    assert task["taskArn"] in started(aws)
    aws.targets.default = "healthy"
    assert "failed ELB health checks" in aws.stopped(task["taskArn"])["stoppedReason"]
    aws.steady()


def test_a_deleted_service_drains_and_is_inactive(aws):
    aws.service(aws.define(), group=aws.target_group())
    aws.steady()
    tasks = started(aws)
    aws.targets.drain_held = True
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException, match="scaled above 0"):
        aws.ecs.delete_service(cluster="c", service="s")
    assert aws.ecs.delete_service(cluster="c", service="s", force=True)["service"]["status"] == "DRAINING"
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException, match="still Draining"):
        aws.service(aws.define())
    aws.targets.drain_held = False
    aws.until(lambda: aws.look()["status"] == "INACTIVE", "INACTIVE")
    assert {aws.task(arn)["lastStatus"] for arn in tasks} == {"STOPPED"}
    assert aws.ecs.list_services(cluster="c")["serviceArns"] == []
    with pytest.raises(aws.ecs.exceptions.ServiceNotActiveException):
        aws.ecs.update_service(cluster="c", service="s", desiredCount=1)
    aws.service(aws.define(), count=0)
    assert aws.steady()["status"] == "ACTIVE"


def test_a_task_stopped_by_hand_is_replaced_and_no_failure(aws):
    aws.service(aws.define(), count=1, group=aws.target_group())
    aws.steady()
    (task,) = aws.tasks_of()
    aws.ecs.stop_task(cluster="c", task=task["taskArn"], reason="by hand")
    found = aws.stopped(task["taskArn"])
    assert (found["stopCode"], found["stoppedReason"]) == ("UserInitiated", "by hand")
    aws.until(lambda: aws.look()["runningCount"] == 1 and started(aws) != [task["taskArn"]], "replaced")
    assert aws.look()["deployments"][0]["failedTasks"] == 0


def test_a_service_lives_on_when_its_task_definition_is_deregistered(aws):
    definition = aws.define()
    aws.service(definition, count=1, group=aws.target_group())
    aws.steady()
    aws.ecs.deregister_task_definition(taskDefinition=definition)
    aws.ecs.update_service(cluster="c", service="s", desiredCount=2)
    aws.until(lambda: aws.look()["runningCount"] == 2, "scales")
