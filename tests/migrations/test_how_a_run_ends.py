"""No end without its word: code of a revision that gives up, wrong arguments, signals, and names that hold newlines."""

import json
import signal
import subprocess
import sys

import pytest

from tests.support.trees_on_disk import BASE, migrate, result_of
from tests.support.until import until

pytestmark = pytest.mark.slow
ALLOW = 'lint_exceptions = {"offline-sql": "what the test is about"}'
QUIT = "import sys; sys.exit(0)"


def with_code(own_tree, body="", top="", settings=ALLOW):
    tree = own_tree("SELECT 1", settings=f"{settings}\n{top}", allow=False)
    file = tree / "migrations" / "expand" / "e0002_test.py"
    file.write_text(file.read_text().replace('op.execute("""SELECT 1""")', body or "pass"))
    return tree


@pytest.mark.parametrize("command", [("expand", "--json"), ("lint", "--json")])
@pytest.mark.parametrize("where", ["body", "top"])
def test_a_revision_that_ends_the_process_is_refused_by_the_lint(own_tree, owner_environment, command, where):
    run = migrate(with_code(own_tree, settings="", **{where: QUIT}), owner_environment, *command[:1], "v1", command[1])
    assert run.returncode == 12, run.stdout + run.stderr
    assert json.loads(run.stdout)["error"]["name"] == "LINT_REFUSED"
    assert "SystemExit" in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ({"body": QUIT}, "the code of e0002_test.py ended with SystemExit in line"),
        ({"top": QUIT}, "the code of e0002_test.py ended with SystemExit in line"),
        ({"body": "raise ValueError('a private person')"}, "the code of e0002_test.py ended with ValueError in line"),
        ({"body": "raise GeneratorExit"}, "the code of e0002_test.py ended with GeneratorExit in line"),
    ],
    ids=["exit-in-upgrade", "exit-at-the-top", "error", "base"],
)
def test_where_the_lint_was_told_to_look_away_it_is_a_failed_revision(
    own_tree, owner_environment, schema_server, schema, code, told
):
    run = migrate(with_code(own_tree, **code), owner_environment, "expand", "v1", "--json")
    assert run.returncode == 6, run.stdout + run.stderr
    error = json.loads(run.stdout)["error"]
    assert error["name"] == "STATEMENT_FAILED"
    assert told in error["message"]
    assert "private" not in error["message"]
    with schema_server.connect(schema) as connection:
        rows = connection.execute("SELECT revision FROM schema_history ORDER BY 1").fetchall()
    assert ("e0002",) not in rows


@pytest.mark.parametrize("arguments", [("bogus", "--json"), ("--json",), ("expand", "--plan", "--json")])
def test_wrong_arguments_are_one_object_too(schema_trees, arguments):
    run = subprocess.run(
        [sys.executable, "-m", "migrations", *arguments],
        cwd=schema_trees["v1"], env=BASE, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == 2
    assert run.stderr == ""
    assert json.loads(run.stdout)["error"]["name"] == "USAGE"


@pytest.mark.parametrize(
    ("number", "code", "flags"), [(signal.SIGINT, 130, ["--json"]), (signal.SIGTERM, 143, ["--json"]),
                                  (signal.SIGTERM, 143, [])],
)  # fmt: skip
def test_a_signal_ends_a_run_with_its_code_and_undoes_what_is_open(
    own_tree, owner_environment, schema_server, schema, number, code, flags
):
    tree = own_tree("ALTER TABLE orders ADD COLUMN note text; SELECT pg_sleep(25)", settings='tables = ("orders",)')
    process = subprocess.Popen(
        [sys.executable, "-m", "migrations", "expand", *flags], cwd=tree, text=True,
        env={**BASE, "APP_VERSION": "v1", **owner_environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with schema_server.connect(schema) as connection:
        asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        until(lambda: connection.execute(asleep).fetchone()[0])
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, out + err
        assert "Traceback" not in out + err
        if flags:
            assert json.loads(out)["error"]["exit"] == code
        else:
            assert len(err.strip().splitlines()) == 1
            assert "stopped by SIGTERM" in err
        ours = "SELECT count(*) FROM pg_stat_activity WHERE starts_with(application_name, 'bluegreen-migrations')"
        until(lambda: connection.execute(ours).fetchone()[0] == 0)
        column = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'note'"
        assert connection.execute(column).fetchone() == (0,)


ON_THE_WAY_OUT = """
import time
from migrations.stopping import Signals, Stopped
Signals()
try:
    print("at work", flush=True)
    time.sleep(600)
except Stopped:
    print("on the way out", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_process_that_does_not_get_out(schema_trees, second):
    process = subprocess.Popen(
        [sys.executable, "-c", ON_THE_WAY_OUT], cwd=schema_trees["v1"], text=True, env=BASE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == "at work\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "on the way out\n"
    process.send_signal(second)
    try:
        assert process.wait(60) == -second
    finally:
        process.kill()
        process.communicate()


def test_names_with_newlines_stay_on_one_line(schema_trees, owner_environment, schema_server, schema):
    environment = {
        **owner_environment,
        "MIGRATION_ACTOR": "me\nforged line\x1b[31m\u2028",
        "MIGRATION_LOCK_BUDGET_SECONDS": "2",
    }
    result_of(migrate(schema_trees["v1"], environment, "expand", "v1"))
    shown = migrate(schema_trees["v1"], environment, "history", "v1")
    assert len(shown.stdout.splitlines()) == 2
    assert r"me\nforged line\x1b[31m\u2028" in shown.stdout
    with schema_server.connect(schema) as connection:
        connection.execute("BEGIN; LOCK TABLE orders IN ACCESS SHARE MODE; PREPARE TRANSACTION E'a\\nforged'")
        try:
            refused = migrate(schema_trees["v2"], environment, "expand", "v2")
        finally:
            connection.execute("ROLLBACK PREPARED E'a\\nforged'")
    assert refused.returncode == 4
    assert len(refused.stderr.strip().splitlines()) == 1
    assert r"a\nforged" in refused.stderr
    assert not [line for line in refused.stdout.splitlines() if line.startswith("forged")]


@pytest.mark.parametrize("name", ["DB_HOST", "DB_NAME", "DB_PORT"])
def test_a_url_is_never_shown(schema_trees, owner_environment, name):
    environment = {**owner_environment, name: "postgresql://owner:hidden@db.internal/orders"}
    run = migrate(schema_trees["v1"], environment, "check", "v1")
    assert run.returncode == 2
    assert name in run.stderr
    assert "expected" in run.stderr
    assert "hidden" not in run.stdout + run.stderr


def test_a_long_history_fits_the_line_and_each_row_has_its_own(schema_trees, owner_environment, schema_server, schema):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    with schema_server.connect(schema) as connection:
        connection.execute(
            "INSERT INTO schema_history (revision, phase, version, seconds, actor, applied_at)"
            " SELECT 'x' || n, 'expand', 'v1', 0, repeat('a', 60), now() + n * interval '1 s'"
            " FROM generate_series(1, 299) AS n"
        )
    run = migrate(schema_trees["v1"], owner_environment, "history", "v1", "--json")
    assert len(run.stdout) < 16_000
    result = json.loads(run.stdout)["result"]
    assert result["rows"] == 300
    assert result["leftOut"] == 300 - len(result["history"]) > 0
    assert result["history"][-1]["revision"] == "x299"
    assert len(run.stderr.splitlines()) == 300
