"""The API's door: keep-alive, the log of calls, faults in each protocol's form, and what moto gets wrong, mended."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from local import lifecycle
from local.errors import LocalError

pytestmark = pytest.mark.slow


@pytest.fixture
def faults(embedded):
    """Adds faults; none is left behind."""
    endpoint = embedded.control["endpoint"]
    yield lambda **wanted: lifecycle.ask(endpoint, "POST", "faults", wanted)
    lifecycle.ask(endpoint, "DELETE", "faults")


@pytest.fixture
def calls(embedded):
    """What was called since the test began, as ["ecs:ListClusters 200", ...]."""
    endpoint = embedded.control["endpoint"]
    since = lifecycle.ask(endpoint, "GET", "calls")["last"]

    def made(query=""):
        report = lifecycle.ask(endpoint, "GET", f"calls?since={since}{query}")
        return [f"{one['service']}:{one['action']} {one['status']}" for one in report["calls"]]

    return made


# One call of each protocol: JSON, query, EC2's own, and CBOR.
PROTOCOLS = [
    ("ecs", "ListClusters", lambda client: client.list_clusters(), "ThrottlingException"),
    ("logs", "DescribeLogGroups", lambda client: client.describe_log_groups(), "ThrottlingException"),
    ("elbv2", "DescribeLoadBalancers", lambda client: client.describe_load_balancers(), "Throttling"),
    ("rds", "DescribeDBInstances", lambda client: client.describe_db_instances(), "Throttling"),
    ("iam", "ListRoles", lambda client: client.list_roles(), "Throttling"),
    ("ec2", "DescribeVpcs", lambda client: client.describe_vpcs(), "RequestLimitExceeded"),
    ("cloudwatch", "DescribeAlarms", lambda client: client.describe_alarms(), "Throttling"),
]


@pytest.mark.parametrize(("service", "action", "call", "code"), PROTOCOLS, ids=[one[0] for one in PROTOCOLS])
def test_a_throttled_call_is_refused_in_its_protocol_and_retried_by_clients(
    embedded, faults, calls, service, action, call, code
):
    faults(service=service, action=action, kind="throttle", times=2)
    with pytest.raises(ClientError) as refused:
        call(embedded.client(service))
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    call(embedded.client(service, attempts=3))
    assert calls() == [f"{service}:{action} 400", f"{service}:{action} 400", f"{service}:{action} 200"]


@pytest.mark.parametrize(("service", "action", "call", "_"), PROTOCOLS, ids=[one[0] for one in PROTOCOLS])
def test_a_call_fails_with_the_error_that_was_asked_for(embedded, faults, service, action, call, _):
    faults(service=service, action=action, kind="fail", code="AccessDeniedException", message="not you", status=403)
    with pytest.raises(ClientError) as refused:
        call(embedded.client(service))
    assert refused.value.response["Error"] == {**refused.value.response["Error"], "Message": "not you"}
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    call(embedded.client(service))


def test_a_lost_answer_is_of_a_call_that_was_made(embedded, faults):
    faults(service="ecs", action="CreateCluster", kind="lose")
    ecs = embedded.client("ecs")
    with pytest.raises(ClientError, match="InternalFailure"):
        ecs.create_cluster(clusterName="lost")
    assert ecs.describe_clusters(clusters=["lost"])["clusters"][0]["status"] == "ACTIVE"
    ecs.delete_cluster(cluster="lost")


def test_a_delayed_call_keeps_nobody_else_waiting(embedded, faults):
    faults(service="ecs", action="ListClusters", kind="delay", seconds=5)
    delayed = threading.Event()
    asking = threading.Thread(target=lambda: (embedded.client("ecs").list_clusters(), delayed.set()))
    asking.start()
    while lifecycle.ask(embedded.control["endpoint"], "GET", "faults")["faults"]:
        pass  # until the call has met its fault
    embedded.client("ecs").list_clusters()
    assert not delayed.is_set()
    asking.join()
    assert delayed.is_set()


def test_skipped_calls_and_wildcards(embedded, faults):
    faults(service="*", action="*", kind="fail", skip=1)
    ecs = embedded.client("ecs")
    ecs.list_clusters()
    with pytest.raises(ClientError, match="InternalFailure"):
        ecs.list_clusters()
    ecs.list_clusters()


def test_faults_from_the_command_line(embedded):
    assert embedded.run("faults", "add", "ecs", "RunTask", "throttle", "--times", "3").returncode == 0
    listed = json.loads(embedded.run("faults", "list").stdout)
    assert [(one["service"], one["action"], one["kind"], one["times"]) for one in listed] == [
        ("ecs", "RunTask", "throttle", 3)
    ]
    assert embedded.run("faults", "clear").stdout == "1 faults cleared\n"
    refused = embedded.run("faults", "add", "ecs", "RunTask", "delay")
    assert (refused.returncode, refused.stderr) == (1, "error: a delay needs seconds\n")


def test_the_log_of_calls_can_be_narrowed(embedded, calls):
    embedded.client("ecs").list_clusters()
    embedded.client("sts").get_caller_identity()
    assert calls() == ["ecs:ListClusters 200", "sts:GetCallerIdentity 200"]
    assert calls("&service=sts") == ["sts:GetCallerIdentity 200"]
    assert calls("&action=ListClusters") == ["ecs:ListClusters 200"]


def test_our_own_paths_refuse_what_they_do_not_know(embedded):
    endpoint = embedded.control["endpoint"]
    with pytest.raises(LocalError, match="no GET /_local/nothing; there are"):
        lifecycle.ask(endpoint, "GET", "nothing")
    with pytest.raises(LocalError, match="a fault needs action, kind, service"):
        lifecycle.ask(endpoint, "POST", "faults", {})
    with pytest.raises(LocalError, match="since is the number of a call"):
        lifecycle.ask(endpoint, "GET", "calls?since=then")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/_local/faults", b"no json", method="POST"))  # noqa: S310
    with refused.value as answer:
        assert answer.code == 400


def test_a_connection_serves_many_requests(embedded):
    where = urlsplit(embedded.control["endpoint"])
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
    ports = set()
    for _ in range(3):
        connection.request("GET", "/_local/status")
        answer = connection.getresponse()
        assert answer.version == 11
        answer.read()
        assert connection.sock, "the server closed the connection"
        ports.add(connection.sock.getsockname()[1])
    assert len(ports) == 1
    connection.close()


def test_an_action_that_is_not_there_is_refused_once_and_by_name(embedded, calls):
    with pytest.raises(ClientError) as refused:
        embedded.client("elbv2", attempts=5).describe_trust_stores()
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"
    assert "does not have elbv2:DescribeTrustStores" in refused.value.response["Error"]["Message"]
    assert len(calls()) == 1  # not retried


def test_another_region_is_refused_by_name(embedded):
    ecs = embedded.client("ecs", region="ap-south-1")
    with pytest.raises(ClientError, match="has the region eu-west-1 only; ap-south-1 was asked for"):
        ecs.list_clusters()


def test_concurrent_calls_lose_nothing(embedded):
    ecs = embedded.client("ecs")
    names = [f"crowd-{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: ecs.create_cluster(clusterName=name), names))
        found = {arn.rsplit("/", 1)[1] for arn in ecs.list_clusters()["clusterArns"]}
        assert found >= set(names)
        list(pool.map(lambda name: ecs.delete_cluster(cluster=name), names))
