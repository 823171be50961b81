"""A scale-out of an image that can no longer serve: the real application on the embedded ECS."""

import sys

import pytest

from rehearsal.trees import lay
from tests.support.scratch_postgres import scratch_server
from tests.support.trees_on_disk import BASE, migrate, result_of

pytestmark = pytest.mark.slow
LINE = (
    "app: version v1 cannot serve this database: contract c0001 removed what it needs; "
    "the oldest version that can serve is v3"
)


@pytest.fixture
def contracted(tmp_path):
    """v1's tree, and the environment of a database in which v3 has run a contract."""
    tree = lay("v1", tmp_path)
    with scratch_server() as server, server.database() as name:
        result_of(migrate(tree, server.environment(name), "expand", "v1"))
        with server.connect(name) as connection:
            connection.execute(
                "INSERT INTO schema_history (revision, phase, version, seconds) VALUES ('c0001', 'contract', 'v3', 1)"
            )
            connection.execute("INSERT INTO schema_versions (version, contract_known) VALUES ('v3', '{c0001}')")
        yield tree, server.environment(name)


def test_each_task_ends_at_once_and_says_why(aws, contracted):
    tree, database = contracted
    environment = {**BASE, **database, "APP_VERSION": "v1", "PYTHONPATH": str(tree)}
    container = aws.container(
        entryPoint=[sys.executable, "-m", "app"],
        environment=[{"name": name, "value": value} for name, value in environment.items()],
    )
    del container["command"]
    # As its retirement left it, and then raised by hand or by an autoscaler.
    aws.service(aws.define(containers=[container]), count=0)
    aws.ecs.update_service(cluster="c", service="s", desiredCount=2)
    ended = aws.until(lambda: aws.tasks_of(status="STOPPED"), "a task of the old image STOPPED")[0]
    assert (ended["stopCode"], ended["containers"][0]["exitCode"]) == ("EssentialContainerExited", 3)
    assert ended["stoppedReason"] == "Essential container in task exited"
    assert aws.lines(ended["taskArn"]) == [LINE]
    # And none of them ever counts as running for longer than its start takes.
    aws.ecs.update_service(cluster="c", service="s", desiredCount=0)
    aws.until(lambda: not aws.tasks_of(), "no task left")
