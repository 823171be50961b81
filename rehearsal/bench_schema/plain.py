"""`python -m rehearsal.bench_schema.plain`: Alembic as others run it, on the same revision, table and load.

Without --lock-timeout it is `alembic upgrade` as it comes. With it, what the best of the field do: a fixed
lock_timeout, and another try a fixed pause after each refusal. The database comes from DB_*.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

import sqlalchemy
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from psycopg import errors
from sqlalchemy.exc import OperationalError


def main(arguments: Sequence[str]) -> int:
    """0 when the revisions are applied, 4 when no lock was had within the limit."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.bench_schema.plain", description=__doc__)
    parser.add_argument("--migrations", required=True, help="the tree's migrations folder")
    parser.add_argument("--lock-timeout", default="0", help='such as "500ms"; 0 (default) waits for ever')
    parser.add_argument("--pause", type=float, default=1.0, help="seconds after a refused try")
    parser.add_argument("--seconds", type=float, default=180.0, help="how long to try")
    chosen = parser.parse_args(arguments)
    engine = sqlalchemy.create_engine(
        sqlalchemy.URL.create(
            "postgresql+psycopg",
            username=os.environ["DB_USER"],
            password=os.environ["DB_PASSWORD"],
            host=os.environ["DB_HOST"],
            port=int(os.environ["DB_PORT"]),
            database=os.environ["DB_NAME"],
        ),
        connect_args={"options": f"-c lock_timeout={chosen.lock_timeout}", "application_name": "alembic"},
    )
    until, tries = time.monotonic() + chosen.seconds, 0
    while True:
        tries += 1
        try:
            upgrade(engine, chosen.migrations)
        except OperationalError as error:
            if not isinstance(error.orig, errors.LockNotAvailable):
                raise
            if time.monotonic() > until:
                return 4
            time.sleep(chosen.pause)
        else:
            print(tries, flush=True)  # noqa: T201  read by the benchmark
            return 0


def upgrade(engine: sqlalchemy.Engine, migrations: str) -> None:
    """What `alembic upgrade expand@head` does with the env.py of Alembic's own template."""
    config = Config()
    config.set_main_option("script_location", migrations)
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", f"{migrations}/expand:{migrations}/contract")
    scripts = ScriptDirectory.from_config(config)
    context = EnvironmentContext(
        config, scripts, fn=lambda revisions, _: scripts._upgrade_revs("expand@head", revisions)
    )
    with engine.connect() as connection, context:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
