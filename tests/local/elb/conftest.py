"""moto over HTTP in this process, with our load balancing and a real Envoy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.addresses import Addresses
from local.elb import recorder
from local.elb.controller import LoadBalancing
from local.server import LOCK, Server
from tests.local.elb.elb_stage import Stage

REGION = "eu-west-1"


@pytest.fixture(scope="module")
def _stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    from moto.moto_api._internal.models import moto_api_backend
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    moto_api_backend.reset()  # moto's store is the process's: a load balancer of another test file would be served too
    dispatcher = DomainDispatcherApplication(create_backend_app)

    def locked(environment: Any, start: Any) -> Any:
        with LOCK:
            return dispatcher(environment, start)

    patches = pytest.MonkeyPatch()
    patches.setattr(recorder, "FLUSH_SECONDS", 0.3)
    server, addresses = Server(0, locked), Addresses()
    balancing = LoadBalancing(tmp_path_factory.mktemp("local"), addresses)
    balancing.start()
    server.start()
    try:
        settings = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}

        def client(name: str) -> Any:
            return boto3.client(name, REGION, endpoint_url=server.endpoint, config=settings, **keys)

        ec2 = client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
                "SubnetId"
            ]
            for n, zone in enumerate("ab")
        ]
        stage = Stage(client("elbv2"), client("cloudwatch"), balancing, vpc, subnets, addresses, iter(range(10**6)))
        yield stage
    finally:
        server.stop()
        balancing.stop()
        addresses.close()
        patches.undo()
        moto_api_backend.reset()


@pytest.fixture
def stage(_stage: Stage) -> Iterator[Stage]:
    """The running load balancing; what a test made through it is gone after the test."""
    with contextlib.ExitStack() as closing:
        _stage.closing = closing
        yield _stage
