"""Puts our handlers over moto's, and takes them away again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.ecs.responses import EC2ContainerServiceResponse

from local import server
from local.ecs.api import clusters, definitions, deployments, services, tasks
from local.ecs.api.request import Request
from local.ecs.model import Place

if TYPE_CHECKING:
    from local.ecs.scheduler import Scheduler

Handler = Callable[[Request], dict[str, Any]]
HANDLERS: dict[str, Handler] = {
    **clusters.HANDLERS,
    **definitions.HANDLERS,
    **deployments.HANDLERS,
    **services.HANDLERS,
    **tasks.HANDLERS,
}
_MISSING = object()
_before: dict[str, Any] = {}


def apply(scheduler: Scheduler) -> None:
    """Let the scheduler answer. A scheduler that was there before is replaced."""
    remove()
    for name, handler in HANDLERS.items():
        _before[name] = EC2ContainerServiceResponse.__dict__.get(name, _MISSING)
        setattr(EC2ContainerServiceResponse, name, _method(handler, scheduler))


def remove() -> None:
    """Give moto its own handlers back."""
    for name, method in _before.items():
        if method is _MISSING:
            delattr(EC2ContainerServiceResponse, name)
        else:
            setattr(EC2ContainerServiceResponse, name, method)
    _before.clear()


def _method(handler: Handler, scheduler: Scheduler) -> Callable[[Any], Any]:
    def answer(self: Any) -> Any:
        # The server holds the lock already; tests and other callers of moto may not.
        with server.LOCK:
            request = Request(Place(self.current_account, self.region), self._get_params(), scheduler)
            return ActionResult(handler(request))

    return answer
