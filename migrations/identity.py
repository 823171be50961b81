"""Who this runner is: the ECS task it runs in, as the database shows it to others.

A session's `application_name` holds the task's id, so that whoever finds a lock held by a session can ask AWS whether
its task still lives.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

PROGRAM = "bluegreen-migrations"
NO_TASK = "-"  # not on ECS, or ECS did not say
_LONGEST = 63  # bytes of an application_name that PostgreSQL keeps
_TASK_ID = re.compile(r"[0-9a-f-]{8,36}")
_ASK_SECONDS = 2.0
_TRIES = 2


def application_name(metadata_uri: str, version: str, say: Callable[[str], None]) -> str:
    """`bluegreen-migrations <task id> <version>`; the version is cut where it is too long."""
    task, reason = _ask(metadata_uri) if metadata_uri else (NO_TASK, "")
    if reason:
        say(f"the task metadata endpoint did not say which task this is ({reason}); going on without")
    text = f"{PROGRAM} {task} {version}".encode()[:_LONGEST]
    return text.decode(errors="ignore")


def task_of(application: str) -> str | None:
    """The id of the task that a runner's session belongs to; None where the name does not tell."""
    program, _, rest = application.partition(" ")
    task = rest.partition(" ")[0]
    return task if program == PROGRAM and _TASK_ID.fullmatch(task) else None


def task_ids(text: str) -> frozenset[str]:
    """The ids in a list with commas; ARNs will do. What is no id is left out: it could name no session."""
    names = (one.strip().rsplit("/", 1)[-1] for one in text.split(","))
    return frozenset(name for name in names if _TASK_ID.fullmatch(name))


@lru_cache
def _ask(metadata_uri: str) -> tuple[str, str]:
    """The task's id, or NO_TASK and why not. Asked once, in bounded time: no run fails for it."""
    reason = ""
    for _ in range(_TRIES):
        try:
            arn = _task(metadata_uri)["TaskARN"]
        except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as error:
            reason = f"{type(error).__name__}: {error}"
            continue
        found = str(arn).rsplit("/", 1)[-1]
        return (found, "") if _TASK_ID.fullmatch(found) else (NO_TASK, f"TaskARN is {arn!r}")
    return NO_TASK, reason


def _task(metadata_uri: str) -> dict[str, object]:
    where = urlsplit(metadata_uri)
    connection = http.client.HTTPConnection(str(where.hostname), where.port or 80, timeout=_ASK_SECONDS)
    try:
        connection.request("GET", f"{where.path}/task")
        found: dict[str, object] = json.loads(connection.getresponse().read())
        return found
    finally:
        connection.close()
