"""A backfill that is not complete or no SQL refuses the tree, which every command reads, and the service too."""

import subprocess
import sys

import pytest

from migrations.errors import BadTreeError, Exit
from migrations.linting import squawk
from tests.support.own_revisions import OwnRevisions
from tests.support.trees_on_disk import BASE, migrate

GOOD = {
    "revision": "b0001", "down_revision": None, "needs": "e0001", "table": "items", "key": "id", "assign": "n = 1",
    "todo": "n IS NULL",
}  # fmt: skip


def lay(folder, **declared):
    constants = {name: value for name, value in {**GOOD, **declared}.items() if name not in declared or value != ""}
    text = "".join(f"{name} = {value!r}\n" for name, value in constants.items())
    (folder / "backfills").mkdir(exist_ok=True)
    (folder / "backfills" / "b0001_fill.py").write_text(text)
    (folder / "backfills" / "HEAD").write_text("b0001_fill\n")


@pytest.fixture
def own(tmp_path):
    found = OwnRevisions(tmp_path / "migrations")
    found.add("CREATE TABLE items (id int PRIMARY KEY, n int)")
    found.add("DROP TABLE items", phase="contract")
    return found


@pytest.mark.parametrize(
    ("declared", "named"),
    [
        *(({name: ""}, f"has no `{name} = ") for name in ("needs", "table", "key", "assign", "todo")),
        ({"needs": ()}, "has no `needs = "),
        ({"needs": "c0001"}, "has needs 'c0001', which is no expand revision"),
        ({"table": "items."}, "has table 'items.', expected a name"),
        ({"todo": "n IS NUL"}, "has `todo` that is no SQL: IS is followed by"),
        ({"todo": "n IS NOT nil"}, "has `todo` that is no SQL: IS is followed by"),
        ({"todo": "n ="}, "has `todo` that is no SQL: expected an expression"),
        ({"todo": "n = 1) OR (n = 2"}, "has `todo` that is no SQL"),
        ({"todo": "n IS NULL -- yet"}, "has `todo` that is no SQL"),
        ({"todo": "n IS NULL; DROP TABLE items"}, "has `todo` that is no SQL"),
        ({"todo": "n = 'open"}, "has `todo` that is no SQL"),
        ({"assign": "n ="}, "has `assign` that is no SQL: expected an expression"),
        ({"assign": "n"}, "has `assign` that is no SQL"),
        ({"assign": "n = 1 WHERE true"}, "has `assign` that is no SQL"),
        ({"assign": "n = 1 -- one"}, "has `assign` that is no SQL: it ends its statement"),
        ({"assign": "n = 1; DROP TABLE items"}, "has `assign` that is no SQL"),
    ],
)
def test_what_is_not_complete_or_no_sql_refuses_the_tree(own, declared, named):
    lay(own.folder, **declared)
    with pytest.raises(BadTreeError, match=r"^migrations: backfills/b0001_fill\.py has ") as refused:
        own.tree()
    assert named in str(refused.value)
    assert "expected" in str(refused.value)


@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"needs": ("e0001",)},
        {"table": 'odd one.It"ems', "key": "the Key"},
        {"todo": "n IS UNKNOWN AND n IS NOT TRUE AND n IS DISTINCT FROM 1 AND x IS JSON AND (n) is null"},
        {"todo": "EXISTS (SELECT FROM other WHERE other.id = items.id ORDER BY 1 LIMIT 1) AND t = ';--'"},
        {"todo": "n IS NULL /* yet */\n  AND m IS NULL"},
        {"assign": "(n, m) = (SELECT 1, 2), x = DEFAULT, y = z #>> '{a}'"},
        {"assign": "n = 1, -- one\n  m = CASE WHEN t ~ E'\\\\d' THEN $$;$$ END"},
        {"todo": "n ==", "lint_exceptions": {"syntax-error": "what the test is about"}},
    ],
)
def test_what_postgresql_takes_is_read(own, declared):
    lay(own.folder, **declared)
    (found,) = own.tree().backfill
    assert found.settings["todo"] == declared.get("todo", GOOD["todo"])


def test_a_second_one_hides_nothing_of_the_first(own):
    """All are parsed as one text: what the first leaves open, the second must not close."""
    lay(own.folder, todo="n = 'open")
    more = {**GOOD, "revision": "b0002", "down_revision": "b0001", "todo": "n = ' AND true"}
    (own.folder / "backfills" / "b0002_more.py").write_text("".join(f"{name} = {more[name]!r}\n" for name in more))
    (own.folder / "backfills" / "HEAD").write_text("b0002_more\n")
    with pytest.raises(BadTreeError, match=r"b0001_fill\.py has `todo` that is no SQL"):
        own.tree()


def test_without_the_parser_the_tree_is_read_as_the_service_must_start(own, monkeypatch, tmp_path):
    """The lint lets nothing run without it, and the gate asks the server."""
    monkeypatch.setattr(squawk, "program", lambda: tmp_path / "none")
    lay(own.folder, assign="this text was not parsed before =")
    assert own.tree().known("backfill") == {"b0001"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("declared", "named"),
    [
        ({"needs": ""}, 'has no `needs = "..."`, expected the expand revision'),
        ({"todo": "n IS NUL"}, "has `todo` that is no SQL"),
    ],
)
def test_every_command_and_the_service_refuse_it_before_anything_is_done(
    own_tree, owner_environment, app_environment, schema_server, schema, declared, named
):
    tree = own_tree("ALTER TABLE orders ADD COLUMN note text")
    lay(tree / "migrations", **{"table": "orders", **declared})
    for command, environment in (("lint", {}), ("sql", {}), *((each, owner_environment) for each in ONLINE)):
        run = migrate(tree, environment, command, "v2")
        assert run.returncode == Exit.BAD_TREE, command
        assert f"backfills/b0001_fill.py {named}" in run.stderr
    service = subprocess.run(
        [sys.executable, "-m", "app"], cwd=tree, env={**BASE, "APP_VERSION": "v2", **app_environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert service.returncode == Exit.BAD_TREE, service.stdout + service.stderr
    assert named in service.stderr
    with schema_server.connect(schema) as connection:
        assert connection.execute("SELECT to_regclass('orders'), to_regclass('schema_history')").fetchone() == (
            None, None,
        )  # fmt: skip


ONLINE = ("roles", "check", "plan", "expand", "backfill", "contract")
