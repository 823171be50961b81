"""The one place that talks to AWS: clients, retries that a cancel interrupts, and errors as one line."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from provider.rpc.messages import Fail

THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "BandwidthLimitExceeded",
        "SlowDown",
        "ServiceUnavailable",
        "PriorRequestNotComplete",
    }
)
POOL = 10  # connections per service
CONNECT_SECONDS = 3.0
READ_SECONDS = 20.0
QUICK_READ_SECONDS = 3.0  # for putting weights back, which has a bound of its own
THROTTLE_SECONDS = 60.0
CONNECTION_SECONDS = 8.0
PAUSE_SECONDS = 0.2
LONGEST_MESSAGE = 500  # characters of AWS's own message
LONGEST_PAUSE_SECONDS = 5.0


class AwsError(Fail):
    """AWS refused a call, or could not be reached. `code` is AWS's error code, or the name of the connection error."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Aws:
    """Clients of one region, made when first used.

    `call` retries throttling, server errors and lost connections by itself instead of leaving that to botocore: a
    cancel must not wait for a backoff to end.
    """

    def __init__(self, region: str, endpoint: str | None, stop: threading.Event) -> None:
        self.region, self.endpoint, self._stop = region, endpoint, stop
        self._clients: dict[tuple[str, bool], Any] = {}
        self._lock = threading.Lock()  # making a client is not thread-safe in boto3

    def client(self, service: str, *, quick: bool = False) -> Any:
        """The client of a service; `quick` gives up on a slow answer after QUICK_READ_SECONDS."""
        with self._lock:
            if (service, quick) not in self._clients:
                self._clients[service, quick] = self._make(service, quick=quick)
            return self._clients[service, quick]

    def _make(self, service: str, *, quick: bool) -> Any:
        import boto3  # a fifth of a second: only when AWS is asked for the first time
        from botocore.config import Config

        config = Config(
            region_name=self.region,
            max_pool_connections=POOL,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=QUICK_READ_SECONDS if quick else READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
            user_agent_extra="bluegreen",
        )
        return boto3.client(service, endpoint_url=self.endpoint, config=config)

    def warm(self) -> None:
        """Load boto3 and the two clients of every plan beside the program's own start."""
        for service in ("elbv2", "ecs"):
            self.client(service)

    def call(
        self,
        service: str,
        operation: str,
        /,
        *,
        safe: bool = True,
        quick: bool = False,
        stubborn: bool = False,
        seconds: float = THROTTLE_SECONDS,
        **parameters: Any,
    ) -> dict[str, Any]:
        """Call an operation (`describe_rules`), retrying for at most so many seconds.

        `safe` false: a second call would do a second thing (RunTask), so only what AWS surely did not do is retried.
        `quick`: a slow answer is given up soon. `stubborn`: a cancel does not end the retries. Raises AwsError.
        """
        begun, pause = time.monotonic(), PAUSE_SECONDS
        while True:
            try:
                answer: dict[str, Any] = getattr(self.client(service, quick=quick), operation)(**parameters)
            except Exception as error:
                refused, patience = _judge(service, operation, error, safe=safe)
                if time.monotonic() - begun + pause > min(seconds, patience):
                    raise refused from error
                if stubborn:
                    time.sleep(pause)
                elif self._stop.wait(pause):
                    raise refused from error
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
            else:
                return answer

    def pages(self, service: str, operation: str, key: str, /, **parameters: Any) -> list[Any]:
        """All items of a paginated operation under `key`."""
        found: list[Any] = []
        while True:
            answer = self.call(service, operation, **parameters)
            found += answer.get(key, [])
            token = answer.get("nextToken") or answer.get("NextToken")
            if not token:
                return found
            parameters["nextToken" if "nextToken" in answer else "NextToken"] = token


def _judge(service: str, operation: str, error: Exception, *, safe: bool) -> tuple[AwsError, float]:
    """The error as a line, and for how many seconds it is worth trying again."""
    from botocore import exceptions

    name = "".join(part.capitalize() for part in operation.split("_"))
    if isinstance(error, exceptions.ClientError):
        found = error.response.get("Error", {})
        code = str(found.get("Code", "Unknown"))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        said = " ".join(str(found.get("Message", "")).split())[:LONGEST_MESSAGE]  # a proxy's error page has many lines
        refused = AwsError(code, f"AWS {service} {name}: {code}: {said}".rstrip(": "))
        if code in THROTTLED or status in {429, 503}:
            return refused, THROTTLE_SECONDS
        return refused, CONNECTION_SECONDS if status >= 500 and safe else 0.0
    if isinstance(error, exceptions.EndpointConnectionError | exceptions.ConnectTimeoutError):
        return AwsError(type(error).__name__, f"AWS {service} {name}: {error}"), CONNECTION_SECONDS
    if isinstance(error, exceptions.HTTPClientError):
        return AwsError(type(error).__name__, f"AWS {service} {name}: {error}"), CONNECTION_SECONDS if safe else 0.0
    return AwsError(type(error).__name__, f"AWS {service} {name}: {error}"), 0.0
