"""What the embedded AWS costs when nothing is asked of it: its start, and memory and processor time of all it runs.

Idle means: there is a load balancer that listens and a database that is available, so Envoy and PostgreSQL run, and no
task does.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from rehearsal.embedded import Embedded
from rehearsal.live import Live

STARTS = 3
SETTLE_SECONDS = 5.0
IDLE_SECONDS = 20.0
EXPECTED = ("envoy", "postgres")


class IdleError(Exception):
    """It could not be measured; one line."""


def measure(embedded: Embedded) -> dict[str, Any]:
    """The figures of one instance of its own, which is stopped in the end. Raises EmbeddedError, IdleError."""
    seconds = []
    try:
        for _ in range(STARTS):
            embedded.stop()
            began = time.monotonic()
            environment = embedded.start()
            seconds.append(time.monotonic() - began)
        _fill(Live(prefix="bench", environment=environment))
        time.sleep(SETTLE_SECONDS)
        family = processes(environment)
        by_process = _memory(family)
        if missing := [name for name in EXPECTED if not any(name in found for found in by_process)]:
            raise IdleError(
                f"idle: no process {missing[0]} among {', '.join(by_process)}, expected one for its figures"
            )
        percent = _cpu_percent(family)
    finally:
        embedded.stop()
    return {
        "start_seconds": round(statistics.median(seconds), 2),
        "idle_mb": round(sum(by_process.values()), 1),
        "idle_mb_by_process": by_process,
        "idle_cpu_percent": percent,
    }


def processes(environment: Mapping[str, str]) -> list[psutil.Process]:
    """The instance's own process and all that it has started, tasks too."""
    control = Path(environment["BLUEGREEN_LOCAL_DIR"]) / "control.json"
    root = psutil.Process(int(json.loads(control.read_text(encoding="utf-8"))["pid"]))
    return [root, *root.children(recursive=True)]


def memory_mb(environment: Mapping[str, str]) -> float:
    """Memory of the instance with all it has started (proportional set size), in MB (10**6 bytes). Linux only."""
    return round(sum(_memory(processes(environment)).values()), 1)


def _memory(family: Sequence[psutil.Process]) -> dict[str, float]:
    found: dict[str, float] = {}
    for process in family:
        try:
            name, used = process.name(), process.memory_full_info().pss / 1e6
        except psutil.NoSuchProcess:
            continue
        found[name] = round(found.get(name, 0.0) + used, 1)
    return found


def _cpu_percent(family: Sequence[psutil.Process]) -> float:
    """Of one core, over IDLE_SECONDS; processes that end meanwhile are left out."""
    before = {process: _cpu(process) for process in family}
    began = time.monotonic()
    time.sleep(IDLE_SECONDS)
    lasted = time.monotonic() - began
    used = sum(max(_cpu(process) - earlier, 0.0) for process, earlier in before.items())
    return round(100 * used / lasted, 2)


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _fill(live: Live) -> None:
    """A network, a load balancer that listens, and a database that is available."""
    ec2, elb = live.client("ec2"), live.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    zones = [f"{live.environment['AWS_REGION']}{letter}" for letter in "ab"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{place}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for place, zone in enumerate(zones)
    ]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    balancer = elb.create_load_balancer(Name="bench", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    made = elb.create_target_group(Name="bench", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip")
    action = {"Type": "forward", "TargetGroupArn": made["TargetGroups"][0]["TargetGroupArn"]}
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=8080, DefaultActions=[action])
    _database(live.client("rds"))


def _database(rds: Any) -> None:
    rds.create_db_instance(
        DBInstanceIdentifier="bench",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="owner",
        ManageMasterUserPassword=True,
    )
    waiter = rds.get_waiter("db_instance_available")
    waiter.wait(DBInstanceIdentifier="bench", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
