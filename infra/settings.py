"""The stack's settings: read once, checked as a whole, and handed on as frozen values.

Nothing else in the program reads configuration. Every mistake is reported in one error, so that a person mends all of
them at once; the keys and what each accepts are in `setting_keys`.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi.runtime import config as runtime_config

from infra.evidence import Quiet
from infra.setting_keys import KEYS, Key, Kind, Value
from infra.setting_rules import contradictions


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Address range, zone letters, and the one way by which tasks reach AWS's APIs."""

    cidr: str
    zones: tuple[str, ...]
    nat_gateway: bool
    vpc_endpoints: bool
    public_tasks: bool


@dataclass(frozen=True, kw_only=True)
class ListenerSettings:
    """Who may talk to the load balancer, where, and whether in TLS (a certificate makes the listeners HTTPS)."""

    port: int
    test_port: int
    certificate_arn: str | None
    host_name: str | None
    internal: bool
    allowed_cidrs: tuple[str, ...]
    test_allowed_cidrs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """Size of a task, tasks of the live color, and the health check's timing in seconds."""

    cpu: int
    memory: int
    architecture: str
    desired_count: int
    health_interval: int
    health_grace: int
    deregistration_delay: int


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """The RDS instance; `version` is PostgreSQL's major version."""

    instance_class: str
    version: int
    storage_gib: int
    multi_az: bool
    backup_days: int
    ssl_mode: str


@dataclass(frozen=True, kw_only=True)
class ReleaseSettings:
    """What to release (`version` None: what the tree holds) and how traffic moves; times are in seconds."""

    version: str | None
    previous: str
    adopt: str | None
    refuse_drift: str
    context: str
    steps: tuple[int, ...]
    bake: int
    timeout: int
    backfill_timeout: int
    backfill: Mapping[str, str]  # variables of its task
    quiet: Quiet
    alarms: tuple[str, ...]
    on_failure: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that a stack decides."""

    project: str
    stack: str
    region: str
    endpoint: str | None
    protect: bool
    log_retention_days: int
    network: NetworkSettings
    listener: ListenerSettings
    service: ServiceSettings
    database: DatabaseSettings
    release: ReleaseSettings


def load(config: pulumi.Config) -> Settings:
    """Read and check the whole configuration of this stack.

    Raises pulumi.RunError with one line for every key that is unknown, missing, of the wrong type, encrypted without
    need or out of range, and for every pair of settings that cannot hold together.
    """
    stack = pulumi.get_stack()
    given, secrets = _given(config.name)
    problems = [_unknown(key) for key in sorted(given) if key not in _BY_NAME]
    problems += [_needlessly_secret(key) for key in sorted(secrets & _BY_NAME.keys())]
    values: dict[str, Any] = {}
    for key in KEYS:
        try:
            values[key.name] = _value(key, given)
        except ValueError as problem:
            problems.append(str(problem))
    problems += contradictions(values)
    if problems:
        raise pulumi.RunError(_report(config.name, stack, problems))
    return _settings(config.name, stack, values)


_BY_NAME: Final[Mapping[str, Key]] = {key.name: key for key in KEYS}


def _given(project: str) -> tuple[dict[str, str], set[str]]:
    """The stack's own keys without the project's name, and which of them are encrypted."""
    everything = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    secret = {
        *runtime_config.get_config_secret_keys_env(),
        *(k for k in everything if runtime_config.is_config_secret(k)),
    }
    start = f"{project}:"
    given = {key.removeprefix(start): str(value) for key, value in everything.items() if key.startswith(start)}
    return given, {key.removeprefix(start) for key in secret if key.startswith(start)}


def _unknown(name: str) -> str:
    folded = {known.casefold(): known for known in _BY_NAME}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"{name}: unknown key; did you mean {folded[near[0]]}?"
    return f"{name}: unknown key; the known ones are {', '.join(sorted(_BY_NAME))}"


def _needlessly_secret(name: str) -> str:
    # Passwords are made and kept by AWS; none is a setting. An encrypted one would still end up readable in the state.
    return (
        f"{name}: is encrypted, but is no secret and would appear in plain text in resources; set it without --secret"
    )


def _value(key: Key, given: Mapping[str, str]) -> Value:
    """The key's value, or its default. Raises ValueError with the line for the report."""
    if key.name not in given:
        if key.default is None:
            raise ValueError(f"{key.name}: not set; expected {key.check('')}")
        return key.default
    text = given[key.name]
    value = _parse(key.kind, text)
    if value is None:
        raise ValueError(f"{key.name}: found {_shown(text)}; expected {_type(key.kind)}")
    if (expected := key.check(value)) is not None:
        raise ValueError(f"{key.name}: found {_shown(text)}; expected {expected}")
    return value


def _parse(kind: Kind, text: str) -> Value | None:
    """The text as a value of that kind, or None. Pulumi hands every value on as text, structures as JSON."""
    if kind is Kind.STRING:
        return text
    if kind is Kind.INTEGER:
        return int(text) if re.fullmatch(r"-?[0-9]{1,12}", text) else None
    if kind is Kind.BOOLEAN:
        return {"true": True, "false": False}.get(text)
    try:
        items = json.loads(text)
    except ValueError:
        return None
    wanted = str if kind is Kind.STRINGS else int
    # type(), because True is an int to isinstance and a list of switches is no list of percentages.
    return items if isinstance(items, list) and all(type(item) is wanted for item in items) else None


def _type(kind: Kind) -> str:
    return f"an {kind}" if kind is Kind.INTEGER else f"a {kind}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _report(project: str, stack: str, problems: list[str]) -> str:
    lines = [f"{project}:{problem}" for problem in problems]
    if len(lines) == 1:
        return f"{lines[0]} (stack {stack}; nothing was changed)"
    head = (
        f"{len(lines)} settings of stack {stack} cannot be used; nothing was changed. Mend them in Pulumi.{stack}.yaml:"
    )
    return "\n".join([head, *(f"  - {line}" for line in lines)])


def _settings(project: str, stack: str, v: Mapping[str, Any]) -> Settings:
    """Group the checked values. Empty text means "not set"."""
    return Settings(
        project=project,
        stack=stack,
        region=v["region"],
        endpoint=v["endpoint"] or None,
        protect=v["protect"],
        log_retention_days=v["logRetentionDays"],
        network=NetworkSettings(
            cidr=v["vpcCidr"],
            zones=tuple(v["zoneLetters"][: v["zones"]]),
            nat_gateway=v["natGateway"],
            vpc_endpoints=v["vpcEndpoints"],
            public_tasks=v["publicTasks"],
        ),
        listener=_listener(v),
        service=_service(v),
        database=_database(v),
        release=_release(v),
    )


def _listener(v: Mapping[str, Any]) -> ListenerSettings:
    return ListenerSettings(
        port=v["listenerPort"],
        test_port=v["testListenerPort"],
        certificate_arn=v["certificateArn"] or None,
        host_name=v["hostName"] or None,
        internal=v["internal"],
        allowed_cidrs=tuple(v["allowedCidrs"]),
        test_allowed_cidrs=tuple(v["testAllowedCidrs"]),
    )


def _service(v: Mapping[str, Any]) -> ServiceSettings:
    return ServiceSettings(
        cpu=v["cpu"],
        memory=v["memory"],
        architecture=v["architecture"],
        desired_count=v["desiredCount"],
        health_interval=v["healthIntervalSeconds"],
        health_grace=v["healthGraceSeconds"],
        deregistration_delay=v["deregistrationDelaySeconds"],
    )


def _database(v: Mapping[str, Any]) -> DatabaseSettings:
    return DatabaseSettings(
        instance_class=v["databaseClass"],
        version=v["databaseVersion"],
        storage_gib=v["databaseStorageGiB"],
        multi_az=v["databaseMultiAz"],
        backup_days=v["databaseBackupDays"],
        ssl_mode=v["databaseSslMode"],
    )


def _release(v: Mapping[str, Any]) -> ReleaseSettings:
    return ReleaseSettings(
        version=v["version"] or None,
        previous=v["previous"],
        adopt=v["adopt"] or None,
        refuse_drift=v["refuseDrift"],
        context=v["context"],
        steps=tuple(v["steps"]),
        bake=v["bakeSeconds"],
        timeout=v["timeoutSeconds"],
        backfill_timeout=v["backfillTimeoutSeconds"],
        backfill=dict(f"MIGRATION_BACKFILL_{each}".split("=", 1) for each in v["backfillSettings"]),
        quiet=Quiet(seconds=v["contractQuietSeconds"], period=v["metricPeriodSeconds"], delay=v["metricDelaySeconds"]),
        alarms=tuple(v["alarms"]),
        on_failure=v["onFailure"],
    )
