"""One look at one service: what became of its tasks, and what it does next. Called under `local.server.LOCK`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local.contracts import TargetHealth
from local.ecs import rollout, tasks
from local.ecs.model import Deployment, Service, Target, Task, now
from local.ecs.views import PENDING

# A task counts as a success once it has run so long: one that answers a health check and then exits is none.
SETTLE_SECONDS = 1.0
SCHEDULER = "ServiceSchedulerInitiated"

Health = Mapping[tuple[str, Target], TargetHealth]


@dataclass
class Look:
    """One service at one moment."""

    service: Service
    health: Health
    moment: float

    def run(self, start: Callable[[Task], None]) -> None:
        """Bring the service one step on.

        Args:
            start: gives a new task its thread.
        """
        service = self.service
        mine = tasks.of_service(service)
        alive = [task for task in mine if task.desired_status == "RUNNING"]
        for task in alive:
            self._judge(task)
        for task in mine:
            if task.last_status == "STOPPED" and not task.settled:
                self._settle(task)
        if service.status == "ACTIVE":
            self._advance(alive, start)
        else:
            self._wind_up(alive)
        mine = tasks.of_service(service)
        self._count(mine)
        self._conclude(mine)

    def _judge(self, task: Task) -> None:
        """Take over what the target groups and the containers' own checks say of a running task."""
        task.sick = ""
        if task.last_status != "RUNNING" or task.running_since is None:
            task.good = False
            return
        age = self.moment - task.running_since
        states = [self.health[(task.id, target)] for target in task.targets if (task.id, target) in self.health]
        if not task.targets:
            task.good = age >= SETTLE_SECONDS
        else:
            task.good = len(states) == len(task.targets) and all(one.state == "healthy" for one in states)
        task.good = task.good and (task.health == "HEALTHY" or not task.checked)
        grace = float(self.service.settings.get("healthCheckGracePeriodSeconds") or 0)
        if task.health == "UNHEALTHY":
            task.sick = "failed container health checks"
        elif age >= grace and any(one.state == "unhealthy" for one in states):
            groups = ", ".join(target.group for target in task.targets)
            task.sick = f"failed ELB health checks in (target-group {groups})"
        task.proven = task.proven or task.good
        if task.good and age >= SETTLE_SECONDS and not task.success:
            task.success = True
            self.service.failures_in_a_row, self.service.start_not_before = 0, 0.0
            deployment = self._deployment(task)
            if deployment is not None:
                deployment.failed_tasks = 0

    def _settle(self, task: Task) -> None:
        """A task stopped: was that a failure of its deployment?"""
        task.settled = True
        service, deployment = self.service, self._deployment(task)
        failed = task.condemned or task.stop_code in ("TaskFailedToStart", "EssentialContainerExited")
        if not failed or service.status != "ACTIVE" or deployment is not service.primary:
            return
        service.failures_in_a_row += 1
        wait = rollout.backoff_seconds(service.failures_in_a_row)
        service.start_not_before = self.moment + wait
        service.steady = False
        if service.failures_in_a_row == rollout.BREAKER_MINIMUM:
            service.say(
                "is unable to consistently start tasks successfully. For more information, see the stopped tasks."
            )
        if deployment.rollout_state != "IN_PROGRESS":
            return
        deployment.failed_tasks += 1
        deployment.updated = now()
        self._break(deployment)

    def _break(self, deployment: Deployment) -> None:
        """The deployment circuit breaker."""
        service = self.service
        breaker = service.settings["deploymentConfiguration"]["deploymentCircuitBreaker"]
        enough = deployment.failed_tasks >= rollout.breaker_threshold(service.desired_count)
        if not breaker["enable"] or not enough:
            return
        deployment.rollout_state, deployment.finished = "FAILED", now()
        deployment.reason = "ECS deployment circuit breaker: tasks failed to start."
        deployment.status_reason = deployment.reason
        service.say(f"(deployment {deployment.id}) deployment failed: tasks failed to start.")
        last = service.last_completed
        if breaker["rollback"] and last is not None:
            service.roll_back(deployment, last, deployment.reason)

    def _deployment(self, task: Task) -> Deployment | None:
        return next((one for one in self.service.deployments if one.id == task.started_by), None)

    def _advance(self, alive: list[Task], start: Callable[[Task], None]) -> None:
        service, primary = self.service, self.service.primary
        configuration = service.settings["deploymentConfiguration"]
        members = [
            rollout.Member(
                key=task.id,
                primary=task.started_by == primary.id,
                good=task.good,
                bad=bool(task.sick),
                proven=task.proven,
            )
            for task in alive
            if task.desired_status == "RUNNING"
        ]
        decision = rollout.decide(
            desired=service.desired_count,
            minimum_percent=configuration["minimumHealthyPercent"],
            maximum_percent=configuration["maximumPercent"],
            may_start=primary.rollout_state != "FAILED" and self.moment >= service.start_not_before,
            members=members,
        )
        by_id = {task.id: task for task in alive}
        self._stop([by_id[key] for key in decision.stop])
        started = [tasks.service_task(service, primary) for _ in range(decision.start)]
        for task in started:
            start(task)
        if started:
            service.steady = False
            service.say(f"has started {len(started)} tasks: {_named(started)}.")

    def _stop(self, stopping: list[Task]) -> None:
        service = self.service
        for task in stopping:
            if task.sick:
                task.condemned = True
                task.ask_to_stop(SCHEDULER, f"Task {task.sick}")
                service.say(f"(task {task.id}) {task.sick}.")
            else:
                task.ask_to_stop(SCHEDULER, f"Scaling activity initiated by (deployment {service.primary.id})")
        if stopping:
            service.steady = False
            service.say(f"has stopped {len(stopping)} running tasks: {_named(stopping)}.")

    def _wind_up(self, alive: list[Task]) -> None:
        """A deleted service stops its tasks and is INACTIVE when the last one is gone."""
        service = self.service
        for task in alive:
            task.ask_to_stop(SCHEDULER, f"Scaling activity initiated by (deployment {service.primary.id})")
        if all(task.last_status == "STOPPED" for task in tasks.of_service(service)):
            service.status = "INACTIVE"
            service.deployments = []

    def _count(self, mine: list[Task]) -> None:
        service = self.service
        counted: dict[str, list[int]] = {one.id: [0, 0] for one in service.deployments}
        for task in mine:
            if task.started_by in counted:
                counted[task.started_by][0] += task.last_status == "RUNNING"
                counted[task.started_by][1] += task.last_status in PENDING and task.desired_status == "RUNNING"
        for deployment in service.deployments:
            deployment.running_count, deployment.pending_count = counted[deployment.id]
            deployment.desired_count = service.desired_count if deployment is service.primary else 0
        service.running_count = sum(one.running_count for one in service.deployments)
        service.pending_count = sum(one.pending_count for one in service.deployments)

    def _conclude(self, mine: list[Task]) -> None:
        """Older deployments end with their last task; the PRIMARY one completes in a steady state."""
        service = self.service
        if service.status != "ACTIVE":
            return
        live = {task.started_by for task in mine if task.last_status != "STOPPED"}
        for deployment in list(service.deployments[1:]):
            if deployment.id not in live:
                deployment.status = "INACTIVE"
                service.deployments.remove(deployment)
        primary = service.primary
        current = [task for task in mine if task.last_status != "STOPPED"]
        steady = (
            len(service.deployments) == 1
            and len(current) == service.desired_count
            and all(task.good and task.desired_status == "RUNNING" for task in current)
        )
        if not steady:
            service.steady = False
            return
        if primary.rollout_state == "IN_PROGRESS":
            primary.rollout_state, primary.finished = "COMPLETED", now()
            primary.reason = f"ECS deployment {primary.id} completed."
            primary.updated = now()
            service.last_completed = primary
            service.say(f"(deployment {primary.id}) deployment completed.")
        if not service.steady:
            service.steady = True
            service.say("has reached a steady state.")


def _named(some: list[Task]) -> str:
    return " ".join(f"(task {task.id})" for task in some)
