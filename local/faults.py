"""Faults on purpose: API calls that are throttled, fail, take long, or lose their answer."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

Kind = Literal["throttle", "fail", "delay", "lose"]
KINDS: tuple[str, ...] = get_args(Kind)
MAX_DELAY_SECONDS = 300.0

# What each service answers when it is asked too often; `Throttling` for those that are not named.
THROTTLING = {
    "ec2": "RequestLimitExceeded",
    "ecs": "ThrottlingException",
    "ecr": "ThrottlingException",
    "logs": "ThrottlingException",
    "events": "ThrottlingException",
    "ssm": "ThrottlingException",
    "secretsmanager": "ThrottlingException",
    "application-autoscaling": "ThrottlingException",
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is to happen to some of the calls that come.

    Attributes:
        service: as boto3 names it; `*` for every service.
        action: as AWS names it; `*` for every action.
        kind: `throttle` and `fail` refuse the call before it does anything; `lose` does it and then answers an error,
            as when a connection breaks; `delay` does it later.
        times: how many calls are still to be met.
        skip: how many matching calls are left alone first.
        code: the error's code; empty for the service's own (throttling) or InternalFailure.
        message: the error's message.
        status: the error's HTTP status.
        seconds: how long a `delay` takes.
    """

    service: str
    action: str
    kind: Kind
    times: int = 1
    skip: int = 0
    code: str = ""
    message: str = ""
    status: int = 400
    seconds: float = 0.0
    id: int = field(default=0)

    def meets(self, service: str, action: str) -> bool:
        """True when the fault is meant for calls of this action."""
        return self.service in {"*", service} and self.action.lower() in {"*", action.lower()}


class BadFault(ValueError):  # noqa: N818  (reads as what it says)
    """A fault that makes no sense; the message says what was expected."""


class Faults:
    """The faults that wait for their calls. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []
        self._last = 0

    def add(self, wanted: Mapping[str, Any]) -> Fault:
        """Let a fault wait for its calls.

        Args:
            wanted: the attributes of `Fault`, all but `id`.

        Raises:
            BadFault: an unknown attribute or kind, or a value out of range.
        """
        fault = _checked(wanted)
        with self._lock:
            self._last += 1
            fault = replace(fault, id=self._last)
            self._waiting.append(fault)
        return fault

    def take(self, service: str, action: str) -> Fault | None:
        """The fault that this call meets, if any; it is then used up by one."""
        with self._lock:
            for place, fault in enumerate(self._waiting):
                if not fault.meets(service, action):
                    continue
                if fault.skip:
                    self._waiting[place] = replace(fault, skip=fault.skip - 1)
                elif fault.times > 1:
                    self._waiting[place] = replace(fault, times=fault.times - 1)
                    return fault
                else:
                    del self._waiting[place]
                    return fault
        return None

    def waiting(self) -> list[dict[str, Any]]:
        """What still waits, in the order in which it was added."""
        with self._lock:
            return [asdict(fault) for fault in self._waiting]

    def clear(self) -> int:
        """Forget all of them; how many there were."""
        with self._lock:
            count = len(self._waiting)
            self._waiting.clear()
        return count


def _checked(wanted: Mapping[str, Any]) -> Fault:
    _check_shape(wanted)
    fault = Fault(**{"status": 400 if wanted["kind"] == "throttle" else 500, **wanted})
    if fault.times < 1 or fault.skip < 0:
        raise BadFault(f"times is at least 1 and skip at least 0; found times {fault.times}, skip {fault.skip}")
    if not 400 <= fault.status <= 599:
        raise BadFault(f"status is from 400 to 599; found {fault.status}")
    if not 0 <= fault.seconds <= MAX_DELAY_SECONDS:
        raise BadFault(f"seconds is from 0 to {MAX_DELAY_SECONDS:.0f}; found {fault.seconds}")
    if fault.kind == "delay" and not fault.seconds:
        raise BadFault("a delay needs seconds")
    return fault


def _check_shape(wanted: Mapping[str, Any]) -> None:
    known = set(Fault.__dataclass_fields__) - {"id"}
    if strange := sorted(set(wanted) - known):
        raise BadFault(f"a fault has no attribute {', '.join(strange)}; it has {', '.join(sorted(known))}")
    if missing := sorted({"service", "action", "kind"} - set(wanted)):
        raise BadFault(f"a fault needs {', '.join(missing)}")
    if wanted["kind"] not in KINDS:
        raise BadFault(f"the kind of a fault is one of {', '.join(KINDS)}; found {wanted['kind']!r}")
    for name, kind, said in (
        ("times", int, "whole number"),
        ("skip", int, "whole number"),
        ("status", int, "whole number"),
        ("seconds", int | float, "number"),
    ):
        if not isinstance(wanted.get(name, 0), kind):
            raise BadFault(f"{name} is a {said}; found {wanted[name]!r}")


def error_of(fault: Fault, service: str) -> tuple[str, str]:
    """The code and the message of the error that a call meets."""
    if fault.kind == "throttle":
        return fault.code or THROTTLING.get(service, "Throttling"), fault.message or "Rate exceeded"
    return fault.code or "InternalFailure", fault.message or "The request failed due to an unknown error."
