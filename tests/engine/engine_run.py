"""The real Pulumi CLI on a small program whose resources are those of the `bluegreen` provider."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tools import cli

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 90
PROJECT = f"""
name: bluegreen
runtime:
  name: python
  options: {{toolchain: pip, virtualenv: {sys.prefix}}}
plugins:
  providers:
    - {{name: bluegreen, path: {ROOT / "provider"}}}
"""
# The chain of a release, without what the aws provider makes: Release -> gate -> capacity -> [smoke] -> shift ->
# [report], and one resource beside it. `edges` false takes the gate out of what the rest waits for.
PROGRAM = """
import json
from pathlib import Path

import pulumi

from provider import resources as r
from provider.report_resource import ReleaseReport, ReleaseReportArgs

spec = json.loads(Path("spec.json").read_text())
own = pulumi.ResourceOptions(provider=r.Provider("bluegreen", r.ProviderArgs(region="eu-west-1", endpoint=spec["endpoint"])))


def after(*before):
    return pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(depends_on=list(before)))


release = r.Release("release", r.ReleaseArgs(**spec["release"]), own)
gate = r.TaskRun(
    "expand",
    r.TaskRunArgs(color=release.target_color, trigger=pulumi.Output.concat(release.version, "/", release.gate), **spec["task"]),
    after(release),
)
capacity = r.ServiceCapacity(
    "start",
    r.ServiceCapacityArgs(color=release.target_color, desired_count=release.target_count, least_count=2, **spec["capacity"]),
    after(gate) if spec["edges"] else after(release),
)
ready = capacity
if spec.get("smoke"):
    ready = r.TaskRun(
        "smoke",
        r.TaskRunArgs(
            color=release.target_color, trigger=pulumi.Output.concat(release.version, "/", release.target_color), **spec["smoke"]
        ),
        after(capacity),
    )
shift = r.TrafficShift(
    "shift",
    r.TrafficShiftArgs(
        weights=release.weights,
        seen_weights=release.live_weights,
        settled_color=release.live_color,
        rollback=release.rollback,
        versions={color: release.colors[color]["version"] for color in ("blue", "green")},
        **spec["shift"],
    ),
    after(ready),
)
if spec.get("report"):
    named = ("version", "action", "gate", "rollback", "target_color", "previous_color", "previous_version", "weights")
    named += ("live_weights", "target_count", "previous_count", "lineage")
    plan = {name: getattr(release, name) for name in named}
    ReleaseReport("report", ReleaseReportArgs(**plan, **spec["report"], results=[gate.result]), after(shift))
r.TaskRun("beside", r.TaskRunArgs(color="blue", **spec["beside"]), own)
pulumi.export("weights", shift.weights)
pulumi.export("plan", shift.plan)
"""  # noqa: E501 - a program


@dataclass
class Outcome:
    """How a command ended."""

    code: int
    text: str

    def ok(self):
        assert self.code == 0, self.text
        return self


@dataclass
class Engine:
    """One Pulumi stack in a folder of its own, on the fake stack `on`."""

    folder: Path
    on: object
    spec: dict = field(default_factory=dict)

    def __post_init__(self):
        self.pulumi = str(cli.path())
        self.spec = self._inputs(self.on)
        (self.folder / "state").mkdir()
        (self.folder / "Pulumi.yaml").write_text(PROJECT)
        (self.folder / "__main__.py").write_text(PROGRAM)
        self.run("stack", "init", "test").ok()

    def _inputs(self, stack):
        common = {"cluster": stack.name, "services": stack.services}
        place = {
            "cluster": stack.name,
            "task_definitions": stack.definitions,
            "container": "app",
            "subnets": stack.subnets,
            "security_groups": [stack.security],
            "timeout_seconds": 60,
        }
        return {
            "endpoint": stack.fake.endpoint,
            "edges": True,
            "release": {
                **common,
                "service": "orders",
                "version": "v2",
                "image": "repo@sha256:v2",
                "repository": stack.name,
                "listener_rule_arn": stack.rule,
                "target_group_arns": stack.groups,
                "desired_count": 2,
            },
            "task": {**place, "name": "expand", "command": ["expand"]},
            "beside": {**place, "name": "beside", "command": ["true"], "trigger": "1"},
            "capacity": {
                **common,
                "task_definitions": stack.definitions,
                "target_group_arns": stack.groups,
                "timeout_seconds": 60,
            },
            "shift": {
                **common,
                "listener_rule_arn": stack.rule,
                "target_group_arns": stack.groups,
                "bake_seconds": 0,
                "timeout_seconds": 90,
            },
        }

    @property
    def environment(self):
        """Own home and state, keys of the fake AWS, and no colors."""
        return {
            **os.environ,
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
            "PYTHONPATH": str(ROOT),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_COLOR": "1",
        }

    def start(self, *arguments):
        """Start a command in a process group of its own."""
        (self.folder / "spec.json").write_text(json.dumps(self.spec))
        self._log = self.folder / "out.txt"
        with self._log.open("w") as log:
            return subprocess.Popen(
                [self.pulumi, *arguments, "--non-interactive"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def finish(self, process):
        """Wait for a command; a command that hangs is killed with its plugins."""
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            for one in [*plugins_of(process), process]:
                one.kill()
            process.wait(10)
            raise AssertionError(self._output()) from None
        return Outcome(process.returncode, self._output())

    def _output(self):
        return self._log.read_text()

    def run(self, *arguments):
        return self.finish(self.start(*arguments))

    def up(self, *more):
        return self.run("up", "--yes", "--skip-preview", *more)

    def preview(self, *more):
        return self.run("preview", *more)

    def state(self):
        """The deployment as stored."""
        exported = self.folder / "export.json"
        self.run("stack", "export", "--file", str(exported)).ok()
        return json.loads(exported.read_text())["deployment"]

    def resource(self, name):
        """One resource of the state, by its logical name; None where it is not there."""
        found = [one for one in self.state().get("resources", []) if one["urn"].endswith(f"::{name}")]
        return found[0] if found else None


def plugins_of(process):
    """All processes that the engine started."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def interrupt(process, number=signal.SIGINT):
    """What Ctrl-C in a terminal does: only the engine gets it, plugins have process groups of their own."""
    process.send_signal(number)


def kill_engine(process, seconds=30):
    """kill -9 the engine and wait until every process that it started is gone by itself."""
    children = plugins_of(process)
    process.kill()
    process.wait(10)
    _, alive = psutil.wait_procs(children, seconds)
    names = [" ".join(one.cmdline()) for one in alive]
    for one in alive:
        one.kill()
    assert not names, f"still there: {names}"


def when(fake, operation):
    """An event that is set at the next call of an operation."""
    seen = threading.Event()
    fake.on_call[operation] = lambda _: seen.set()
    return seen
