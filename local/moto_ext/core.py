"""What every call goes through, whatever its service: the lock, the log of calls, the faults, a readable refusal."""

from __future__ import annotations

import logging
import time
from typing import Any

from moto.core.responses import ActionResult, BaseResponse

from local.calls import CallLog
from local.faults import Fault, Faults, error_of
from local.folder import REGION
from local.moto_ext.errors import aws_error
from local.server import EFFECTS, LOCK

log = logging.getLogger(__name__)

# Services without regions are asked for in us-east-1, or in one of these names.
REGIONS = (REGION, "us-east-1", "aws-global", "global")

Answer = tuple[int, dict[str, Any], Any]


class Gate:
    """Stands between the HTTP door and moto's handlers."""

    def __init__(self, calls: CallLog, faults: Faults) -> None:
        self._calls = calls
        self._faults = faults

    def patch(self) -> None:
        """moto runs handlers of several threads at once without a lock, and ends a missing action and a failing handler
        alike as an HTML page with status 500, which clients then retry. It injects no faults."""
        original = BaseResponse.call_action
        if getattr(original, "gated", False):
            raise RuntimeError("moto is patched already in this process; start one embedded AWS per process")

        def call_action(response: Any) -> Answer:
            return self._call(response, original)

        call_action.gated = True  # type: ignore[attr-defined]
        BaseResponse.call_action = call_action

    def _call(self, response: Any, original: Any) -> Answer:
        service, action = response.boto3_service_name, response._get_action() or ""
        begin = time.monotonic()
        fault = self._faults.take(service, action)
        status = 500
        try:
            answer = self._answer(response, original, fault)
            status = answer[0]
        finally:
            self._calls.note(
                time=time.time(),
                service=service,
                action=action,
                status=status,
                seconds=round(time.monotonic() - begin, 6),
                fault=fault.kind if fault else None,
            )
        return answer

    def _answer(self, response: Any, original: Any, fault: Fault | None) -> Answer:
        service = response.boto3_service_name
        if response.region not in REGIONS:
            reason = f"the embedded AWS has the region {REGION} only; {response.region} was asked for"
            return _error(response, "InvalidRegion", reason, 400)
        if fault and fault.kind == "delay":
            time.sleep(fault.seconds)  # without the lock: others are served meanwhile
        elif fault and fault.kind in {"throttle", "fail"}:
            return _error(response, *error_of(fault, service), fault.status)
        answer = _handled(response, original)
        if fault and fault.kind == "lose":
            return _error(response, *error_of(fault, service), fault.status)
        return answer


def _handled(response: Any, original: Any) -> Answer:
    service, action = response.boto3_service_name, response._get_action() or ""
    try:
        with LOCK:
            answer: Answer = original(response)
        for effect in EFFECTS:
            effect()
    except NotImplementedError as error:
        # AWS says this of an action that does not exist; unlike a 500 it is not retried.
        reason = f"the embedded AWS does not have {service}:{action}" + (f": {error}" if str(error) else "")
        return _error(response, "UnknownOperationException", reason, 400)
    except Exception as error:
        log.exception("%s:%s failed", service, action)
        reason = f"the embedded AWS failed in {service}:{action}: {type(error).__name__}: {error}; see its log"
        return _error(response, "InternalFailure", reason, 500)
    return answer


def _error(response: Any, code: str, message: str, status: int) -> Answer:
    """The error in the form that the service's protocol has for it."""
    _, headers, body = response.serialized(ActionResult(aws_error(code, message)))
    return status, {**headers, "status": str(status)}, body
