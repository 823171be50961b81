"""Settings of the service, all of them from the environment.

Nothing is read at import; `load` is called once by whoever starts the process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# A name, an address, or the folder of a socket.
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?|/[^:@]*")
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


class SettingsError(ValueError):
    """A setting is missing or makes no sense; the text names the variable."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """How to reach PostgreSQL: `DB_HOST`, `DB_PORT`, `DB_NAME`, `DB_USER`, `DB_PASSWORD`, `DB_SSLMODE`."""

    host: str
    port: int = 5432
    name: str
    user: str
    password: str = field(repr=False)
    sslmode: str = "require"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one task of the service needs to know."""

    version: str
    color: str = ""  # only told to the reader of a response; nothing in the service depends on it
    host: str = "0.0.0.0"  # noqa: S104  a task's own network interface; the security group decides who reaches it
    port: int = 8080
    pool_size: int = 10
    pool_timeout: int = 5  # seconds; a request that finds no free connection for so long is answered 503
    log_level: str = "INFO"
    database: Database


def text(environment: Mapping[str, str], name: str, default: str | None = None) -> str:
    """The variable `name`; an empty one counts as missing. Raises SettingsError."""
    value = environment.get(name) or default
    if value is None:
        raise SettingsError(f"{name}: not set or empty, expected a value in the environment of the task")
    return value


def number(environment: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """The variable `name` as a whole number from low to high. Raises SettingsError."""
    value = environment.get(name) or str(default)
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise SettingsError(f"{name}: found {value!r}, expected a whole number from {low} to {high}")
    return int(value)


def _host(environment: Mapping[str, str]) -> str:
    """Many keep the whole URL of a database in one secret: what is given here may hold a password, and is not shown."""
    found = text(environment, "DB_HOST")
    if not _HOST.fullmatch(found):
        raise SettingsError(
            "DB_HOST: found something else than a host (not shown, it may hold a password), expected a name or an "
            "address alone, such as db.internal; the rest of a URL belongs into DB_PORT, DB_NAME, DB_USER, DB_PASSWORD"
        )
    return found


def _apart(environment: Mapping[str, str], *names: str) -> None:
    """Refuse a URL in another of the variables, for the same reason."""
    for name in names:
        if "://" in environment.get(name, ""):
            raise SettingsError(f"{name}: found a URL (not shown, it may hold a password), expected that part of it")


def database(environment: Mapping[str, str]) -> Database:
    """The database of this environment. Raises SettingsError."""
    host = _host(environment)
    _apart(environment, "DB_PORT", "DB_NAME", "DB_USER", "DB_SSLMODE")
    sslmode = text(environment, "DB_SSLMODE", "require")
    if sslmode not in SSL_MODES:
        raise SettingsError(f"DB_SSLMODE: found {sslmode!r}, expected one of {', '.join(SSL_MODES)}")
    return Database(
        host=host,
        port=number(environment, "DB_PORT", 5432, 1, 65535),
        name=text(environment, "DB_NAME"),
        user=text(environment, "DB_USER"),
        password=text(environment, "DB_PASSWORD"),
        sslmode=sslmode,
    )


def version(environment: Mapping[str, str]) -> str:
    """The version this image was built as, `APP_VERSION`. Raises SettingsError."""
    found = text(environment, "APP_VERSION")
    if not _VERSION.fullmatch(found):
        raise SettingsError(f"APP_VERSION: found {found!r}, expected 1 to 128 of A-Z a-z 0-9 . _ -, not first . or -")
    return found


def load(environment: Mapping[str, str]) -> Settings:
    """All settings of a task. Raises SettingsError."""
    level = text(environment, "LOG_LEVEL", "INFO").upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise SettingsError(f"LOG_LEVEL: found {level!r}, expected DEBUG, INFO, WARNING or ERROR")
    return Settings(
        version=version(environment),
        color=environment.get("APP_COLOR", ""),
        host=text(environment, "HOST", "0.0.0.0"),  # noqa: S104  see Settings.host
        port=number(environment, "PORT", 8080, 1, 65535),
        pool_size=number(environment, "POOL_SIZE", 10, 1, 200),
        pool_timeout=number(environment, "POOL_TIMEOUT_SECONDS", 5, 1, 60),
        log_level=level,
        database=database(environment),
    )
