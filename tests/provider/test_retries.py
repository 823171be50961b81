"""Calls to AWS: what is tried again, what is not, and that a cancel ends the waiting."""

import threading

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from provider import aws as module
from provider.aws import Aws, AwsError


class Client:
    """Answers in the order given; exceptions are raised."""

    def __init__(self, *answers):
        self.answers, self.calls = list(answers), 0

    def run_task(self, **_):
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def refused(code, status=400, message="slow down"):
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "RunTask")


TIMEOUT = ReadTimeoutError(endpoint_url="http://aws")
NO_ENDPOINT = EndpointConnectionError(endpoint_url="http://aws")


@pytest.fixture
def aws(monkeypatch):
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.002)
    return Aws("eu-west-1", None, threading.Event())


def using(aws, *answers):
    client = Client(*answers)
    aws._clients["ecs", False] = client
    return client


@pytest.mark.parametrize("code", ["ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"])
def test_throttling_is_tried_again_also_where_a_second_call_does_a_second_thing(aws, code):
    client = using(aws, refused(code), refused(code), {"tasks": []})
    assert aws.call("ecs", "run_task", safe=False) == {"tasks": []}
    assert client.calls == 3


@pytest.mark.parametrize("error", [refused("ServerException", 500), TIMEOUT], ids=["500", "timeout"])
def test_what_may_have_been_done_is_not_done_twice(aws, error):
    client = using(aws, error, {"tasks": []})
    with pytest.raises(AwsError):
        aws.call("ecs", "run_task", safe=False)
    assert client.calls == 1
    using(aws, error, {"tasks": []})
    assert aws.call("ecs", "run_task") == {"tasks": []}


def test_a_lost_connection_is_tried_again_for_a_bounded_time(aws, monkeypatch):
    monkeypatch.setattr(module, "CONNECTION_SECONDS", 0.05)
    client = using(aws, NO_ENDPOINT)
    with pytest.raises(AwsError, match="AWS ecs RunTask: Could not connect") as failed:
        aws.call("ecs", "run_task")
    assert client.calls > 1
    assert failed.value.code == "EndpointConnectionError"


def test_a_refusal_is_not_tried_again_and_is_one_line(aws):
    client = using(aws, refused("InvalidParameterException", message="no\n  such\tsubnet"))
    with pytest.raises(AwsError, match=r"^AWS ecs RunTask: InvalidParameterException: no such subnet$"):
        aws.call("ecs", "run_task")
    assert client.calls == 1


def test_a_cancel_ends_the_retries(aws):
    aws._stop.set()
    client = using(aws, refused("ThrottlingException"))
    with pytest.raises(AwsError):
        aws.call("ecs", "run_task")
    assert client.calls == 1


def test_a_stubborn_call_goes_on_after_a_cancel(aws):
    aws._stop.set()
    client = using(aws, refused("ThrottlingException"), {"ok": True})
    assert aws.call("ecs", "run_task", stubborn=True) == {"ok": True}
    assert client.calls == 2


def test_clients_are_made_once_although_many_ask_at_once(aws, monkeypatch):
    made = []
    monkeypatch.setattr(aws, "_make", lambda service, *, quick: made.append((service, quick)) or object())
    threads = [threading.Thread(target=aws.client, args=("ecs",)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert made == [("ecs", False)]
