"""An AWS for the provider's tests: moto's control plane, with tasks, services and target health that a test directs.

The embedded AWS of this project is the real thing; here a test must be able to say "this task exits with 3 after it
was seen running", and to know which calls were made.
"""

import contextlib
import datetime
import threading
from inspect import signature

import boto3
import pytest
from moto.cloudwatch.responses import CloudWatchResponse
from moto.ecs.models import EC2ContainerServiceBackend, Task, ecs_backends
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup, elbv2_backends
from moto.moto_api import state_manager
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from tests.provider.task_script import TaskScript

REGION = "eu-west-1"
ACCOUNT = "123456789012"
COLORS = ("blue", "green")
TICK_SECONDS = 0.02


def now():
    return datetime.datetime.now(datetime.UTC)


class FakeAws:
    """The server, its patches and its agent thread. Use as a context manager."""

    def __init__(self):
        self._patch = pytest.MonkeyPatch()
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._over = threading.Event()
        self._agent = threading.Thread(target=self._run, daemon=True)
        self.lock = threading.RLock()
        self._clients = {}
        self.network = None  # subnets and security group, shared by all stacks
        self.clear()

    def clear(self):
        """Forget what the last test directed."""
        self.calls: list[tuple[str, dict]] = []
        self.scripts: list[TaskScript] = []  # of the next RunTasks, in order; the last one stays
        self.health: dict[str, tuple[str, str | None]] = {}  # by color, of targets that are running
        self.service: dict[str, str] = {}  # by color: "good" (default), "crash", "stuck" or "drain" (tasks stay)
        self.failing: dict[str, int] = {}  # calls of an operation that fail with 500 first
        self.on_call: dict[str, object] = {}
        self.refuses = ""  # the reason of a failure that RunTask answers instead of a task
        self._running: dict[str, tuple[object, TaskScript, int]] = {}

    def __enter__(self):
        self._server.start()
        self.endpoint = "http://{}:{}".format(*self._server.get_host_and_port())
        state_manager.set_transition("ecs::task", {"progression": "manual", "times": 10**9})
        self._wrap_others()
        self._wrap_ecs()
        self._agent.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._agent.join(5)
        self._server.stop()
        self._patch.undo()
        state_manager.unset_transition("ecs::task")
        moto_api_backend.reset()  # moto's store is the process's

    def client(self, service):
        """A boto3 client, made once: making one costs more than most calls."""
        with self.lock:
            if service not in self._clients:
                self._clients[service] = boto3.client(
                    service,
                    region_name=REGION,
                    endpoint_url=self.endpoint,
                    aws_access_key_id="test",
                    aws_secret_access_key="test",
                )
            return self._clients[service]

    def count(self, operation):
        """How often an operation was called."""
        return sum(name == operation for name, _ in self.calls)

    # Patches -----------------------------------------------------------------------------------------------------

    def _called(self, name, arguments):
        with self.lock:
            self.calls.append((name, arguments))
            act = self.on_call.get(name)
            left = self.failing.get(name, 0)
            self.failing[name] = left - 1
        if act:
            act(arguments)
        if left > 0:
            raise RuntimeError(f"{name} fails as the test asked")

    def _wrap_ecs(self):
        fake = self
        run_task, update_service = EC2ContainerServiceBackend.run_task, EC2ContainerServiceBackend.update_service

        def start(backend, *args, **more):
            fake._called("run_task", signature(run_task).bind(backend, *args, **more).arguments)
            if fake.refuses:
                return []
            with fake.lock:
                tasks = run_task(backend, *args, **more)
                for task in tasks:
                    fake._begin(task, fake.scripts.pop(0) if len(fake.scripts) > 1 else fake.scripts[0])
                return tasks

        def update(backend, props):
            fake._called("update_service", dict(props))
            forced = props.get("force_new_deployment")  # moto takes it out
            with fake.lock:
                service = update_service(backend, props)
                service.running_count = sum(
                    one.group == f"service:{service.name}" and one.status == "RUNNING" for one in fake._tasks()
                )
                if forced:
                    service.deployments[0]["rolloutState"] = "IN_PROGRESS"
                return service

        def stop(_backend, cluster_str, task_str, reason):
            fake._called("stop_task", {"cluster": cluster_str, "task": task_str, "reason": reason})
            with fake.lock:
                task = next(one for one in fake._tasks() if one.task_arn.endswith(task_str.rsplit("/", 1)[-1]))
                task.desired_status = "STOPPED"
                fake._end(task, 143, "UserInitiated", reason)
                return task

        self._patch.setattr(EC2ContainerServiceBackend, "run_task", start)
        answer = EC2ContainerServiceResponse.run_task

        def answered(response):
            found = answer(response)
            found.result["failures"] += [{"reason": fake.refuses}] if fake.refuses else []
            return found

        self._patch.setattr(EC2ContainerServiceResponse, "run_task", answered)
        self._patch.setattr(EC2ContainerServiceBackend, "update_service", update)
        self._patch.setattr(EC2ContainerServiceBackend, "stop_task", stop)

    def _wrap_others(self):
        fake, health_for = self, FakeTargetGroup.health_for
        self._patch.setattr(ELBv2Backend, "modify_rule", self._watched(ELBv2Backend.modify_rule, "modify_rule"))

        def health(group, target, ec2_backend):
            found = health_for(group, target, ec2_backend)
            color = "green" if "green" in group.name else "blue"
            state, reason = fake.health.get(color, ("healthy", None))
            return FakeHealthStatus(found.instance_id, found.port, found.health_check_port, state, reason)

        # moto stores and answers composite alarms, and has no call that makes one.
        make = CloudWatchResponse.put_metric_alarm
        self._patch.setattr(CloudWatchResponse, "put_composite_alarm", make, raising=False)
        self._patch.setattr(FakeTargetGroup, "health_for", health)

    def _watched(self, method, name):
        def watched(backend, *args, **more):
            self._called(name, more)
            return method(backend, *args, **more)

        return watched

    # The agent ---------------------------------------------------------------------------------------------------

    def _tasks(self):
        return [task for group in list(ecs_backends[ACCOUNT][REGION].tasks.values()) for task in list(group.values())]

    def _begin(self, task, script):
        task.status, task.desired_status = "PROVISIONING", "RUNNING"
        task.created_at = now()
        task.containers[0].exitCode = None
        task.containers[0].last_status = "PENDING"
        self._running[task.task_arn] = (task, script, 0)

    def _end(self, task, code, stop_code, reason, container_reason=None):
        task.status = task.desired_status = "STOPPED"
        task.stop_code, task.stopped_reason, task.stopped_at = stop_code, reason, now()
        task.containers[0].exitCode, task.containers[0].last_status = code, "STOPPED"
        if container_reason:
            task.containers[0].reason = container_reason
        self._running.pop(task.task_arn, None)

    def _run(self):
        while not self._over.wait(TICK_SECONDS):
            with self.lock:
                for task, script, age in list(self._running.values()):
                    self._step(task, script, age)
                for service in list(ecs_backends[ACCOUNT][REGION].services.values()):
                    self._serve(service)

    def _step(self, task, script, age):
        if script.exit_code is None:
            self._end(task, None, "TaskFailedToStart", script.reason, script.container_reason)
            return
        task.status = "PROVISIONING" if age < 2 else "RUNNING"
        self._running[task.task_arn] = (task, script, age + 1)
        if task.status != "RUNNING":
            return
        if age == 2:
            task.started_at = now()
            task.containers[0].last_status = "RUNNING"
            self._log(task, script.lines[:-1] if script.lines else ())
        if script.release.is_set() and age > 3:
            self._log(task, script.lines[-1:])
            self._end(task, script.exit_code, script.stop_code, script.reason, script.container_reason)

    def _log(self, task, lines):
        definition = ecs_backends[ACCOUNT][REGION].describe_task_definition(task.task_definition_arn)
        options = definition.container_definitions[0].get("logConfiguration", {}).get("options", {})
        if not options or not lines:
            return
        name = definition.container_definitions[0]["name"]
        place = {
            "logGroupName": options["awslogs-group"],
            "logStreamName": f"{options['awslogs-stream-prefix']}/{name}/{task.id}",
        }
        logs = self.client("logs")
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_stream(**place)
        stamp = int(now().timestamp() * 1000)
        logs.put_log_events(**place, logEvents=[{"timestamp": stamp, "message": line} for line in lines])

    def _serve(self, service):
        """A service reaches its desired count at once, unless the test says otherwise."""
        backend = ecs_backends[ACCOUNT][REGION]
        color = "green" if "green" in service.name else "blue"
        how = self.service.get(color, "good")
        arn = backend.describe_task_definition(service.task_definition).arn
        deployment = service.deployments[0]
        if deployment["taskDefinition"] != arn:
            deployment.update(taskDefinition=arn, rolloutState="IN_PROGRESS", failedTasks=0)
        self._drain(service, stays=how == "drain")
        mine = [one for one in self._tasks() if one.group == f"service:{service.name}" and one.status == "RUNNING"]
        for task in [one for one in mine if one.task_definition_arn != arn] + mine[service.desired_count :]:
            if task.status == "RUNNING":
                self._retire(service, task, 0, "ServiceSchedulerInitiated", "Scaling activity initiated by deployment")
        mine = [one for one in mine if one.status == "RUNNING"]
        if how == "crash" and service.desired_count and deployment["failedTasks"] < 3:
            task = self._service_task(service, arn)
            self._retire(service, task, 1, "EssentialContainerExited", "Essential container in task exited")
            deployment["failedTasks"] += 1
        if how == "good":
            for _ in range(service.desired_count - len(mine)):
                mine.append(self._service_task(service, arn))
            deployment["rolloutState"] = "COMPLETED"
        service.running_count = len(mine)
        service.pending_count = max(0, service.desired_count - len(mine))

    def _drain(self, service, *, stays):
        """What is too many stays DEACTIVATING as long as the test wants it."""
        mine = [one for one in self._tasks() if one.group == f"service:{service.name}"]
        for task in [one for one in mine if one.status == "DEACTIVATING" and not stays]:
            self._retire(service, task, 0, "ServiceSchedulerInitiated", "Scaling activity initiated by deployment")
        for task in [one for one in mine if one.status == "RUNNING" and stays][service.desired_count :]:
            task.status, task.desired_status = "DEACTIVATING", "STOPPED"

    def _service_task(self, service, arn):
        backend = ecs_backends[ACCOUNT][REGION]
        cluster = backend.clusters[service.cluster_name]
        definition = backend.describe_task_definition(arn)
        network = service.network_configuration
        task = Task(
            cluster,
            definition,
            None,
            {},
            backend,
            f"service:{service.name}",
            "FARGATE",
            {},
            "svc",
            [],
            network,
            "LATEST",
        )
        task.status = task.desired_status = "RUNNING"
        task.created_at = task.started_at = now()
        task.containers[0].exitCode, task.containers[0].last_status = None, "RUNNING"
        backend.tasks.setdefault(cluster.name, {})[task.task_arn] = task
        for balancer in service.load_balancers:
            group = elbv2_backends[ACCOUNT][REGION].target_groups[balancer["targetGroupArn"]]
            group.register([{"Id": self._address(task), "Port": 8080}])
        return task

    def _retire(self, service, task, code, stop_code, reason):
        self._end(task, code, stop_code, reason)
        for balancer in service.load_balancers:
            group = elbv2_backends[ACCOUNT][REGION].target_groups[balancer["targetGroupArn"]]
            if self._address(task) in group.targets:
                group.deregister([{"Id": self._address(task)}])

    def _address(self, task):
        return next(one["value"] for one in task.attachments[0]["details"] if one["name"] == "privateIPv4Address")
