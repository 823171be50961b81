"""What a parameter group's parameters mean to PostgreSQL."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from functools import cache
from typing import Any

from local.rds.binaries import Distribution

# Known to RDS only. Stored and answered; they change nothing here.
RDS_PREFIX = "rds."
# Not applied: where the server is and how it is reached belongs to the embedded AWS, its size to a real instance.
OURS = frozenset(
    {
        *("listen_addresses", "port", "data_directory", "hba_file", "ident_file", "external_pid_file", "config_file"),
        *("unix_socket_directories", "unix_socket_group", "unix_socket_permissions", "bonjour"),
        *("log_destination", "logging_collector", "log_directory", "log_filename", "syslog_facility"),
        *("shared_buffers", "huge_pages", "max_wal_size", "min_wal_size", "wal_buffers", "fsync", "full_page_writes"),
        *("archive_mode", "archive_command", "archive_library", "restore_command", "shared_preload_libraries"),
        *("ssl", "ssl_ca_file", "ssl_cert_file", "ssl_key_file", "ssl_crl_file", "jit", "jit_provider"),
    }
)
STATIC = "postmaster"  # the context of a setting that needs a restart


@cache
def contexts(distribution: Distribution) -> Mapping[str, str]:
    """Every setting that this PostgreSQL has, and when a change of it takes effect.

    Returns:
        Name to context: `postmaster` at a restart, anything else at a reload.
    """
    told = subprocess.run(  # noqa: S603  (a program of the wheel)
        [distribution.root / "bin" / "postgres", "--describe-config"], capture_output=True, text=True, check=True
    )
    rows = (line.split("\t") for line in told.stdout.splitlines())
    return {row[0]: row[1] for row in rows if len(row) > 1 and row[1] != "internal"}


def known(distribution: Distribution, name: str) -> bool:
    """True for a parameter that a parameter group may have: PostgreSQL's, RDS's own, or an extension's."""
    return name in contexts(distribution) or "." in name


def is_static(distribution: Distribution, name: str) -> bool:
    """True for a parameter whose change needs a reboot."""
    return contexts(distribution).get(name) == STATIC


def settings(distribution: Distribution, parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What of a parameter group goes into postgresql.conf.

    Formulas over the memory of the instance class and what is not PostgreSQL's are left out.

    Args:
        parameters: by name, as DescribeDBParameters answers them.
    """
    chosen = {}
    for name, parameter in parameters.items():
        value = str(parameter.get("ParameterValue", ""))
        if name in contexts(distribution) and name not in OURS and "{" not in value and "ParameterValue" in parameter:
            chosen[name] = "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
    return chosen
