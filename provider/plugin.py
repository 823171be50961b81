"""The `bluegreen` plugin: settings, and which handler answers for which type."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from typing import Any

from provider import defaults
from provider.aws import Aws
from provider.capacity import ServiceCapacity
from provider.handler import Handler
from provider.release import Release
from provider.report import ReleaseReport
from provider.rpc.base import Plugin
from provider.rpc.messages import Checked, Difference, Fail, Failure, Found, Made, Request
from provider.rpc.values import unknown
from provider.shift import TrafficShift
from provider.task_run import TaskRun
from provider.work import Work

PREFIX = "bluegreen:index:"


class BlueGreen(Plugin):
    """Release, TaskRun, ServiceCapacity, TrafficShift and ReleaseReport."""

    name = "bluegreen"
    version = "0.1.0"

    def __init__(self, engine_address: str = "") -> None:
        super().__init__(engine_address)
        self._aws: Aws | None = None
        handlers: dict[str, type[Handler]] = {
            "Release": Release,
            "TaskRun": TaskRun,
            "ServiceCapacity": ServiceCapacity,
            "TrafficShift": TrafficShift,
            "ReleaseReport": ReleaseReport,
        }
        self._handlers = {PREFIX + name: kind(self) for name, kind in handlers.items()}

    @property
    def aws(self) -> Aws:
        """AWS in the region of the settings. Raises Fail where there is none."""
        if self._aws is None:
            raise Fail("the bluegreen provider has no region: give it one, `Provider(name, ProviderArgs(region=...))`")
        return self._aws

    def work(self, request: Request) -> Work:
        """A long operation: its limit is the custom timeout of the resource, else its input `timeoutSeconds`."""
        limit = request.timeout or float(request.inputs.get("timeoutSeconds") or defaults.TIMEOUT_SECONDS)
        return Work(log=self.log, urn=request.urn, cancelled=self.cancelled, orphaned=self.orphaned, limit=limit)

    def check_config(self, inputs: dict[str, Any]) -> list[Failure]:
        """Region and endpoint. Others are let through: the settings of the project share our namespace."""
        failures = []
        region, endpoint = inputs.get("region"), inputs.get("endpoint")
        if not region:
            failures.append(Failure(property="region", reason="is missing; expected an AWS region such as eu-west-1"))
        elif not unknown(region) and not re.fullmatch(defaults.REGION, str(region)):
            failures.append(Failure(property="region", reason=f"is {region!r}; expected one such as eu-west-1"))
        if endpoint and not unknown(endpoint) and not str(endpoint).startswith(("http://", "https://")):
            failures.append(Failure(property="endpoint", reason=f"is {endpoint!r}; expected http://... or https://..."))
        return failures

    def configure(self, settings: dict[str, Any]) -> None:
        """Take region and endpoint, and load boto3 while the program is still starting."""
        region = settings.get("region")
        if not region or unknown(region):
            return
        endpoint = settings.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL") or None
        aws = self._aws = Aws(str(region), endpoint, self.cancelled)

        def warm() -> None:
            with contextlib.suppress(Exception):  # whatever is wrong comes again, with a message, when it is used
                aws.warm()

        threading.Thread(target=warm, daemon=True).start()

    def check(self, request: Request) -> Checked:
        """As the handler of the type."""
        return self._handler(request).check(request)

    def diff(self, request: Request) -> Difference:
        """As the handler of the type."""
        return self._handler(request).diff(request)

    def create(self, request: Request) -> Made:
        """As the handler of the type."""
        return self._handler(request).create(request)

    def update(self, request: Request) -> Made:
        """As the handler of the type."""
        return self._handler(request).update(request)

    def read(self, request: Request) -> Found | None:
        """As the handler of the type."""
        return self._handler(request).read(request)

    def delete(self, request: Request) -> None:
        """Nothing: what these resources did stays, and what they looked after is deleted by its own resource."""

    def _handler(self, request: Request) -> Handler:
        found = self._handlers.get(request.type)
        if found is None:
            known = ", ".join(sorted(self._handlers))
            raise Fail(f"the bluegreen provider does not know the type {request.type}; it has {known}")
        return found
