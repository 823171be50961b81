"""What the embedded AWS costs when nothing is asked of it: `python benchmarks/embedded.py`.

Starts one in a folder of its own, gives it a load balancer and a database, lets it stand, and prints JSON:

- `start_seconds`: from the command to ready, median of `starts`
- `idle_mb`: proportional set size of all its processes, in megabytes (10**6 bytes)
- `idle_mb_by_process`: the same, one by one
- `idle_cpu_percent`: of one core, over `idle_seconds`
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
import psutil

PROJECT = Path(__file__).resolve().parents[1]
STARTS = 3
SETTLE_SECONDS = 5.0
IDLE_SECONDS = 20.0


def main() -> int:
    """Measure and print; the exit code."""
    with tempfile.TemporaryDirectory(prefix="bluegreen-bench-") as folder:
        root = Path(folder) / "aws"
        try:
            sys.stdout.write(json.dumps(measure(root), indent=2) + "\n")
        finally:
            local(root, "stop")
    return 0


def measure(root: Path) -> dict[str, Any]:
    """The figures of one run."""
    seconds = []
    for _ in range(STARTS):
        local(root, "stop")
        begin = time.monotonic()
        local(root, "start")
        seconds.append(time.monotonic() - begin)
    control = json.loads((root / "control.json").read_text())
    fill(control["endpoint"])
    time.sleep(SETTLE_SECONDS)
    daemon = psutil.Process(control["pid"])
    processes = [daemon, *daemon.children(recursive=True)]
    before = cpu(processes)
    time.sleep(IDLE_SECONDS)
    used = cpu(processes) - before
    memory: dict[str, float] = {}
    for one in processes:
        memory[one.name()] = round(memory.get(one.name(), 0.0) + one.memory_full_info().pss / 1e6, 1)
    return {
        "starts": STARTS,
        "start_seconds": round(statistics.median(seconds), 2),
        "idle_mb": round(sum(memory.values()), 1),
        "idle_mb_by_process": memory,
        "idle_seconds": IDLE_SECONDS,
        "idle_cpu_percent": round(100 * used / IDLE_SECONDS, 2),
    }


def cpu(processes: list[psutil.Process]) -> float:
    """Seconds of processor time used so far."""
    times = [one.cpu_times() for one in processes]
    return sum(one.user + one.system for one in times)


def local(root: Path, command: str) -> None:
    """One command of the embedded AWS."""
    environment = {**os.environ, "BLUEGREEN_LOCAL_DIR": str(root)}
    subprocess.run(  # noqa: S603  (our own module)
        [sys.executable, "-m", "local", command], cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL, check=True
    )


def fill(endpoint: str) -> None:
    """A network, a load balancer that listens, and a database that is available."""
    login = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    ec2, elb, rds, ecs = (
        boto3.client(service, endpoint_url=endpoint, region_name="eu-west-1", **login)
        for service in ("ec2", "elbv2", "rds", "ecs")
    )
    ecs.create_cluster(clusterName="bench")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{place}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for place, zone in enumerate("ab")
    ]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    balancer = elb.create_load_balancer(Name="bench", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(Name="bench", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip")[
        "TargetGroups"
    ][0]
    action = {"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=8080, DefaultActions=[action])
    rds.create_db_instance(
        DBInstanceIdentifier="bench",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="owner",
        ManageMasterUserPassword=True,
    )
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier="bench", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


if __name__ == "__main__":
    sys.exit(main())
