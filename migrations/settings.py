"""Settings of the command, from the environment. Times are in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app import settings as service
from migrations import identity
from migrations.errors import SettingError
from migrations.locking.budgets import Budgets, budgets
from migrations.progress import one_line
from migrations.revision_file import Phase

_ACTOR_LIMIT = 200


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one run of the command needs to know."""

    database: service.Database  # DB_*: the owner of the schema
    version: str  # APP_VERSION
    through: str = ""  # adopt: the argument --through
    needed: bool = False  # backfill: the argument --needed
    actor: str = ""  # MIGRATION_ACTOR: who releases
    app_user: str = ""  # APP_DB_USER: the role the service connects as
    running: tuple[tuple[str, str], ...] = ()  # MIGRATION_RUNNING_VERSIONS: version and task of what ECS runs now
    metadata_uri: str = ""  # ECS_CONTAINER_METADATA_URI_V4, set by ECS
    stopped_tasks: frozenset[str] = frozenset()  # MIGRATION_STOPPED_TASKS: tasks of runners that AWS says are STOPPED
    budgets: Budgets = field(default_factory=Budgets)  # MIGRATION_TASK_SECONDS, MIGRATION_LOCK_*
    runner_wait: float = 120  # MIGRATION_RUNNER_WAIT_SECONDS: how long to wait for another runner
    connect_wait: float = 20  # MIGRATION_CONNECT_WAIT_SECONDS

    @property
    def lock_budget(self) -> Mapping[Phase, float]:
        """In all, for taking the locks of one phase."""
        return self.budgets.lock


def load(environment: Mapping[str, str]) -> Settings:
    """The settings of this environment. Raises SettingError."""
    try:
        return Settings(
            database=service.database(environment),
            version=service.version(environment),
            actor=one_line(environment.get("MIGRATION_ACTOR", ""))[:_ACTOR_LIMIT],
            app_user=environment.get("APP_DB_USER", ""),
            running=_running(environment.get("MIGRATION_RUNNING_VERSIONS", "")),
            metadata_uri=environment.get("ECS_CONTAINER_METADATA_URI_V4", ""),
            stopped_tasks=identity.task_ids(environment.get("MIGRATION_STOPPED_TASKS", "")),
            budgets=budgets(environment),
            runner_wait=service.number(environment, "MIGRATION_RUNNER_WAIT_SECONDS", 120, 1, 86_400),
            connect_wait=service.number(environment, "MIGRATION_CONNECT_WAIT_SECONDS", 20, 1, 3_600),
        )
    except service.SettingsError as error:
        raise SettingError(f"migrations: {error}") from error


def _running(text: str) -> tuple[tuple[str, str], ...]:
    """`v1@<task>,?@<task>`: one entry for each task, `?` where it says no version."""
    entries = (entry.partition("@") for entry in text.split(",") if entry.strip())
    return tuple((version.strip(), task.strip() or "without a name") for version, _, task in entries)


def app_user(environment: Mapping[str, str]) -> tuple[str, str]:
    """Name and password of the role the service connects as. Raises SettingError."""
    try:
        return service.text(environment, "APP_DB_USER"), service.text(environment, "APP_DB_PASSWORD")
    except service.SettingsError as error:
        raise SettingError(f"migrations: {error}") from error
