"""What still runs, what still answers, what is still in the account: each with the twin that is not ours or is gone."""

import functools
import os
import socket
import subprocess
import sys

import boto3
import psutil
import pytest
from moto import mock_aws

from rehearsal import account, gone
from tests.support.listeners import listener


def pids(folder):
    return [process.pid for process in gone.processes_of(folder)]


def test_a_process_is_known_by_argument_environment_or_working_folder(tmp_path):
    code = "import sys; print(flush=True); sys.stdin.read()"
    ways = [
        {"args": [sys.executable, "-c", code, f"{tmp_path}/x"]},
        {"args": [sys.executable, "-c", code], "env": {**os.environ, "X": str(tmp_path)}},
        {"args": [sys.executable, "-c", code], "cwd": tmp_path},
    ]
    for way in ways:
        with subprocess.Popen(
            **way, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            process.stdout.readline()
            assert pids(tmp_path) == [process.pid]
            process.stdin.close()
        assert pids(tmp_path) == []


def test_a_person_at_a_terminal_may_look(tmp_path, monkeypatch):
    with listener(tmp_path) as (process, _):
        assert pids(tmp_path) == [process.pid]
        monkeypatch.setattr(psutil.Process, "terminal", lambda _: "/dev/pts/1")
        assert pids(tmp_path) == []


def test_a_port_is_gone_only_when_the_connection_is_refused(tmp_path, monkeypatch):
    with listener(tmp_path) as (process, port):
        assert gone.listening([psutil.Process(process.pid)]) == {("127.0.0.1", port)}
        assert gone.answers(("127.0.0.1", port))
    assert not gone.answers(("127.0.0.1", port))

    def silent(*_, **__):
        raise TimeoutError

    monkeypatch.setattr(gone.socket, "create_connection", silent)
    assert gone.answers(("127.0.0.1", port))


def test_a_port_that_somebody_else_took_is_not_ours(tmp_path):
    ours, other = tmp_path / "ours", tmp_path / "other"
    ours.mkdir()
    other.mkdir()
    with listener(ours) as (_, left), listener(other) as (_, taken), socket.create_server(("127.0.0.1", 0)) as server:
        here = server.getsockname()
        addresses = [("127.0.0.1", left), ("127.0.0.1", taken), here]
        assert sorted(gone.open_still(addresses, ours)) == sorted([("127.0.0.1", left), here])
    assert gone.open_still(addresses, ours) == []


def test_what_outlives_its_end_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(gone, "_LOOK_SECONDS", 0.2)
    with listener(tmp_path) as (process, _):
        running = gone.outlive([psutil.Process(process.pid)] * 2)
        assert [line.split()[:2] for line in gone.told(running)] == [["process", str(process.pid)]]
    assert gone.outlive(running) == []
    assert gone.told(running) == []


PREFIX = "bluegreen-local"


@pytest.fixture(scope="module")
def aws():
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        yield functools.cache(lambda service: boto3.client(service, region_name="eu-west-1"))


def test_what_is_left_in_the_account_is_named_and_nothing_else(aws):
    assert account.leftovers(aws, PREFIX) == []
    ec2, rds, ecs = aws("ec2"), aws("rds"), aws("ecs")
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]]  # of the default VPC
    rds.create_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="g", SubnetIds=subnets)
    rds.create_db_parameter_group(DBParameterGroupName="p", DBParameterGroupFamily="postgres16", Description="p")
    ecs.create_cluster(clusterName=PREFIX)
    ecs.register_task_definition(family="t", containerDefinitions=[{"name": "app", "image": "x", "memory": 64}])
    ecs.create_service(cluster=PREFIX, serviceName=f"{PREFIX}-blue", taskDefinition="t", desiredCount=0)
    aws("logs").create_log_group(logGroupName="/x")
    aws("ecr").create_repository(repositoryName="repo")
    assert account.leftovers(aws, PREFIX) == [
        "DB parameter group p",
        "DB subnet group g",
        f"cluster {PREFIX}",
        "log group /x",
        "repository repo",
        f"service {PREFIX}-blue",
        "task definition t:1",
    ]


class Ecs:
    """A deleted cluster in which a service drains and a task stops."""

    class exceptions:  # noqa: N801  as boto3 has it
        class ClusterNotFoundException(Exception):  # noqa: N818  AWS's name
            pass

    def describe_clusters(self, **_):
        return {"clusters": [{"status": "INACTIVE", "clusterName": PREFIX}]}

    def list_tasks(self, *, desiredStatus, **_):  # noqa: N803  AWS's name
        return {"taskArns": ["t1", "t2"] if desiredStatus == "STOPPED" else []}

    def describe_tasks(self, **_):
        return {
            "tasks": [{"taskArn": "t1", "lastStatus": "DEPROVISIONING"}, {"taskArn": "t2", "lastStatus": "STOPPED"}]
        }

    def describe_services(self, **_):
        return {"services": [{"serviceName": "s", "status": "DRAINING"}, {"serviceName": "old", "status": "INACTIVE"}]}

    def list_task_definitions(self, **_):
        return {"taskDefinitionArns": []}


def test_what_outlives_its_cluster_is_named(aws):
    left = account.leftovers(lambda service: Ecs() if service == "ecs" else aws(service), PREFIX)
    assert {"service s", "task t1"} <= set(left)
    assert not {"service old", "task t2", f"cluster {PREFIX}"} & set(left)
