"""Create, read, update and delete a resource of any type, from what the table says about the type."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from local.plugins.aws.checking import validate_calls, validate_create
from local.plugins.aws.client import Refused
from local.plugins.aws.model import Call, Look, Wait
from local.plugins.aws.resource import Prepared, Resource
from local.plugins.aws.template import fill, holds
from local.plugins.aws.values import Answer, decode, search, tag_map
from provider.rpc.messages import Fail

FIRST_PAUSE, LAST_PAUSE = 0.1, 2.0
# AWS's ways of saying that something is about to leave what is to be deleted: an interface, a task, a rule.
BUSY = frozenset(
    {"DependencyViolation", "ResourceInUse", "ClusterContainsTasksException", "ClusterContainsServicesException"}
)
BUSY_SECONDS = 30.0


class Incomplete(Fail):
    """Created, but what had to follow failed.

    Attributes:
        id: of the resource, which exists.
    """

    def __init__(self, id_: str, reason: str) -> None:
        super().__init__(reason)
        self.id = id_


class Engine:
    """Works on one resource.

    Args:
        resource: its `id` is set by `create`, its `state` by every read.
    """

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.type = resource.type

    def call(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make one call."""
        return self.resource.clients.call(
            call.service or self.type.service, call.operation, self.resource.region, **params
        )

    def create(self) -> Answer:
        """Create; the answer of the reads that follow.

        Raises:
            Fail: nothing was created.
            Incomplete: created, but a later call, a wait or the read failed.
        """
        validate_create(self.resource)
        if self.type.adopt:
            return self._adopt()
        ((call, params),) = self.resource.creation()
        made = self.call(call, params)
        id_ = fill(self.type.id, self.resource.scope) if "{" in self.type.id else search(self.type.id, made)
        self.resource.id = str(id_)
        try:
            for follows in self.type.after:
                if self.resource.wanted(follows):
                    self.call(follows, self.resource.params(follows, ()))
            if self.type.created:
                self._wait(self.type.created)
            later = self.resource.later()
            self._run(self.resource.calls(later))
            if self.type.tags and not self.type.tags.create:
                self._retag()
            return self._present()
        except Exception as failed:  # whatever it is, the resource exists and must not be lost from the state
            reason = str(failed) if isinstance(failed, Fail) else f"{type(failed).__name__}: {failed}"
            raise Incomplete(self.resource.id, reason) from failed

    def _adopt(self) -> Answer:
        """Take what AWS made by itself: bring it from how it is to how it is wanted."""
        assert self.type.adopt is not None  # noqa: S101  (the caller looked)
        found = self._look(self.type.adopt)
        if found is None:
            raise Fail(f"{self.type.kind}: there is none to adopt")
        self.resource.id = str(search(self.type.id, found))
        answer = self._present()
        self.resource.old, self.resource.old_tags = decode(self.type, answer, self.resource.scope), answer.tags
        wanted = {name for name in self.resource.changed() if name in self.resource.inputs}
        self._run(self.resource.calls(wanted))
        self._retag()
        return self._present()

    def update(self, *, repair: bool) -> Answer:
        """Send what changed, and nothing else: what another owner set since stays.

        Args:
            repair: the create was incomplete: send again what follows a create.
        """
        changed = self.resource.changed() or (self.resource.later() if repair else set())
        calls = self.resource.calls(changed)
        validate_calls(self.resource, calls)
        self._run(calls)
        self._retag()
        if self.type.updated and calls:
            self._wait(self.type.updated)
        return self._present()

    def _run(self, calls: Iterable[Prepared]) -> None:
        for call, params in calls:
            self.call(call, params)

    def _retag(self) -> None:
        if self.type.tags is None:
            return
        if self.resource.taken_tags():
            self.call(self.type.tags.remove, fill(dict(self.type.tags.remove.params), self.resource.scope))
        if self.resource.added_tags():
            self.call(self.type.tags.add, fill(dict(self.type.tags.add.params), self.resource.scope))

    def delete(self) -> None:
        """Delete; gone already is no error, and what something still uses is tried again for a while."""
        for call in self.type.delete:
            if self.resource.wanted(call):
                self._end(call)
        if self.type.deleted:
            self._wait(self.type.deleted, gone=True)

    def _end(self, call: Call) -> None:
        end, pause = time.monotonic() + (self.resource.timeout or BUSY_SECONDS), FIRST_PAUSE
        while True:
            try:
                self.call(call, self.resource.params(call, ()))
            except Refused as refused:
                if refused.code in self.type.gone:
                    return
                if refused.code not in BUSY or time.monotonic() > end or self.resource.cancelled.wait(pause):
                    raise
                pause = min(pause * 1.6, LAST_PAUSE)
            else:
                return

    # Reading -------------------------------------------------------------------------------------------------------

    def read(self) -> Answer | None:
        """What AWS has, or None."""
        main = self._look(self.type.read)
        if main is None or self._is_gone(main):
            return None
        answer = Answer(main=main)
        # Further looks and the tags are found by what the first one told, an ARN for example.
        self.resource.state = {**self.resource.state, **decode(self.type, answer, self.resource.scope)}
        for look in self.type.looks:
            found = self._look(look)
            if look.attributes:
                answer.attributes.update({item["Key"]: item["Value"] for item in found or []})
            answer.given.update({name: search(path, found) for name, path in look.gives.items()})
        answer.given = {name: value for name, value in answer.given.items() if value is not None}
        if self.type.tags:
            source = self._look(self.type.tags.look) if self.type.tags.look else main
            answer.tags = tag_map(self.type.tags, search(self.type.tags.read, source))
        return answer

    def _present(self) -> Answer:
        answer = self.read()
        if answer is None:
            raise Fail(f"{self.type.kind} {self.resource.id} was created or changed, but AWS does not find it")
        return answer

    def _look(self, look: Look) -> Any:
        params = fill(dict(look.params), self.resource.scope) or {}
        try:
            found = self.resource.clients.call(self.type.service, look.operation, self.resource.region, **params)
        except Refused as refused:
            if refused.code in self.type.gone:
                return None
            raise
        return search(fill(look.path, self.resource.scope) or "@", found)

    def _is_gone(self, main: Any) -> bool:
        return self.type.gone_when is not None and search(self.type.gone_when[0], main) in self.type.gone_when[1]

    def _wait(self, wait: Wait, *, gone: bool = False) -> None:
        if wait.when and not holds(wait.when, self.resource.scope):
            return
        seconds = self.resource.timeout or wait.seconds
        subject = f"{self.type.kind} {self.resource.id}"
        end, pause = time.monotonic() + seconds, FIRST_PAUSE
        while True:
            state = self._state(wait)
            if (state is None) if gone else (state in wait.until):
                return
            if state is not None and state in wait.failed:
                raise Fail(f"{subject} became {state}")
            if time.monotonic() > end:
                wanted = "to be gone" if gone else f"for {' or '.join(map(str, wait.until))}"
                raise Fail(f"{subject} is {state}; waited {seconds:.0f} s {wanted}")
            if self.resource.cancelled.wait(pause):
                raise Fail(f"{subject} is {state}; canceled while waiting")
            pause = min(pause * 1.6, LAST_PAUSE)

    def _state(self, wait: Wait) -> Any:
        main = self._look(self.type.read)
        return None if main is None or self._is_gone(main) else search(wait.path, main)
