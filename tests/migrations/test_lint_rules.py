"""What the lint says of one statement, in each phase: squawk's rules with our choice of them, and our own."""

import pytest

from migrations.linting import rules, squawk
from migrations.linting.lint import lint
from tests.support.own_revisions import OwnRevisions

ORDERS = 'tables = ("orders",)'
OUTSIDE = f"{ORDERS}\noutside_transaction = True"


def outside(operation):
    return f"from migrations import concurrently\nconcurrently.{operation}"


@pytest.fixture
def own(tmp_path):
    return OwnRevisions(tmp_path / "migrations")


def errors(own):
    return [{finding.rule for finding in one.errors} for one in lint(own.tree())]


def warnings(own):
    return {finding.rule for one in lint(own.tree()) for finding in one.findings if finding.level == "warning"}


# Statement, what refuses it in both phases, what in expand only.
CASES = [
    # Expand only adds.
    ("ALTER TABLE orders ADD COLUMN note text", "", ""),
    ("ALTER TABLE orders ADD COLUMN n bigint NOT NULL DEFAULT 3", "", ""),
    ("ALTER TABLE orders ADD COLUMN at timestamptz DEFAULT now()", "", ""),
    ("CREATE TABLE parts (id bigint PRIMARY KEY)", "", ""),
    ("CREATE TYPE mood AS ENUM ('sad', 'ok')", "", ""),
    ("ALTER TABLE orders DROP COLUMN price", "", "ban-drop-column"),
    ("ALTER TABLE orders DROP CONSTRAINT positive", "", "ban-drop-constraint"),
    ("ALTER TABLE orders ALTER price DROP DEFAULT", "", "ban-drop-default"),
    ("ALTER TABLE orders ALTER price DROP NOT NULL", "", "ban-drop-not-null"),
    ("ALTER TABLE orders ALTER price SET DEFAULT ''", "", "ban-set-default"),
    ("DROP TABLE orders", "", "ban-drop-table"),
    ("DROP VIEW v", "", "ban-drop-view"),
    ("DROP FUNCTION f()", "", "ban-drop-function"),
    ("DROP TRIGGER t ON orders", "", "ban-drop-other"),
    ("DROP STATISTICS s", "", "ban-drop-other"),
    ("DROP TYPE mood", "", "ban-drop-type"),
    ("DROP TYPE mood CASCADE", "drop-cascade", "ban-drop-type"),
    ("ALTER TABLE orders DROP COLUMN price CASCADE", "drop-cascade", "ban-drop-column"),
    ("TRUNCATE orders", "ban-truncate", ""),
    ("REVOKE SELECT ON orders FROM reader", "", "ban-revoke"),
    ("ALTER TABLE orders ADD CHECK (n > 0) NOT VALID", "", "ban-new-write-restriction"),
    ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "", "ban-replace-view-function"),
    # Names stay, in both phases: one of two live versions knows only the old one.
    ("ALTER TABLE orders RENAME COLUMN a TO b", "renaming-column", ""),
    ("ALTER TABLE orders RENAME TO purchases", "renaming-table", ""),
    ("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", "renaming-object", ""),
    ("CREATE RULE r AS ON INSERT TO orders DO INSTEAD NOTHING", "", "ban-rule"),
    ("CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()", "", "ban-event-trigger"),
    ("CREATE PUBLICATION p FOR TABLE orders", "", "ban-replication"),
    ("ALTER SUBSCRIPTION s DISABLE", "", "ban-replication"),
    ("DROP SUBSCRIPTION s", "", "ban-replication ban-drop-other"),
    # What nobody has named, and what is not the service's.
    ("DROP OWNED BY me", "owned-by-role", "ban-revoke"),
    ("REASSIGN OWNED BY a TO b", "owned-by-role", "ban-revoke"),
    ("INSERT INTO schema_history VALUES (1)", "runners-own-tables", ""),
    ("DELETE FROM public.alembic_version", "runners-own-tables row-change", ""),
    ("CREATE VIEW v AS SELECT * FROM schema_marks", "runners-own-tables", ""),
    ("GRANT INSERT ON schema_backfills TO app", "runners-own-tables", ""),
    ("COMMENT ON TABLE schema_structure IS 'x'", "runners-own-tables", ""),
    (
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM schema_versions'",
        "runners-own-tables",
        "",
    ),
    ("ALTER TABLE orders ADD COLUMN schema_history text", "", ""),
    ("CREATE TABLE audit.schema_history (id bigint)", "", ""),
    # Nobody waits while a table is read or written whole.
    ("ALTER TABLE orders ADD COLUMN n bigint NOT NULL", "adding-required-field", ""),
    ("ALTER TABLE orders ADD COLUMN n bigint CHECK (n > 0)", "column-check", ""),
    ("ALTER TABLE orders ADD n bigint CONSTRAINT positive CHECK (n > 0)", "column-check", ""),
    ("ALTER TABLE orders ADD COLUMN u uuid DEFAULT gen_random_uuid()", "adding-field-with-default", ""),
    ("ALTER TABLE orders ADD COLUMN n bigserial", "adding-field-with-default", ""),
    ("ALTER TABLE orders ALTER price TYPE varchar(9)", "changing-column-type", ""),
    ("ALTER TABLE orders ALTER n SET NOT NULL", "adding-not-nullable-field", "ban-new-write-restriction"),
    ("ALTER TABLE orders ADD CHECK (n > 0)", "constraint-missing-not-valid", "ban-new-write-restriction"),
    (
        "ALTER TABLE orders ADD UNIQUE (n)",
        "constraint-missing-not-valid disallowed-unique-constraint",
        "ban-new-write-restriction",
    ),
    (
        "ALTER TABLE orders ADD FOREIGN KEY (n) REFERENCES orders (id)",
        "adding-foreign-key-constraint constraint-missing-not-valid",
        "ban-new-write-restriction",
    ),
    ("CREATE INDEX i ON orders (n)", "require-concurrent-index-creation", ""),
    ("DROP INDEX i", "require-concurrent-index-deletion", "ban-drop-index"),
    ("REINDEX TABLE orders", "require-concurrent-reindex", ""),
    ("CLUSTER orders USING i", "rewrites-table", ""),
    ("ALTER TABLE orders SET UNLOGGED", "rewrites-table", ""),
    ("REFRESH MATERIALIZED VIEW m", "rewrites-table", ""),
    ("REFRESH MATERIALIZED VIEW CONCURRENTLY m", "", ""),
    ("LOCK TABLE orders", "explicit-lock", ""),
    # Rows belong in a backfill.
    ("UPDATE orders SET n = 1", "row-change", ""),
    ("WITH gone AS (DELETE FROM orders RETURNING id) INSERT INTO old SELECT id FROM gone", "row-change", ""),
    ("CREATE TABLE copy AS SELECT * FROM orders", "row-change", ""),
    ("INSERT INTO parts VALUES (1)", "", ""),
    # Transactions, session and limits are the runner's.
    ("COMMIT", "own-transaction", ""),
    ("SAVEPOINT s", "own-transaction", ""),
    ("SET lock_timeout = '1h'", "session-state", ""),
    ("SET LOCAL statement_timeout = 0", "session-state", ""),
    ("SET LOCAL search_path = public", "", ""),
    ("SET ROLE other", "session-state", ""),
    ("DISCARD ALL", "session-state", ""),
    ("VACUUM orders", "needs-no-transaction", ""),
    # What cannot be seen is not let through.
    ("DO $$ BEGIN DROP TABLE orders; END $$", "opaque-statement", ""),
    ("SELECT drop_everything()", "opaque-statement", ""),
    ("CALL drop_everything()", "opaque-statement", ""),
    ("ALTER TABLE orders ADDS n bigint", "syntax-error", ""),
    # The runner must know what is locked.
    ("ALTER TABLE parts ADD COLUMN n text", "tables-declared", ""),
    ('ALTER TABLE public."orders" ADD COLUMN n text', "", ""),
    ("CREATE TABLE lines (part bigint REFERENCES parts (id))", "tables-declared", ""),
]


@pytest.mark.parametrize(("statement", "in_both", "in_expand"), CASES, ids=[case[0] for case in CASES])
def test_a_statement_in_each_phase(own, statement, in_both, in_expand):
    own.add(statement)
    own.add(statement, phase="contract")
    assert errors(own) == [{*in_both.split(), *in_expand.split()}, {*in_both.split()}]


def test_every_rule_of_the_table_is_one_that_squawk_has_or_ours_and_each_has_advice():
    """Squawk refuses a name it does not know: its answer here proves them all."""
    assert squawk.find("SELECT 1;\n", include=rules.SQUAWKS, exclude=rules.LEFT_OUT, server=rules.SERVER) == []
    for rule in rules.ALL:
        phases = [phase for phase in ("expand", "contract", "backfill") if rules.level(rule, phase)]
        assert phases
        assert all(rules.advice(rule, phase) for phase in phases)
    assert not rules.ALL & set(rules.LEFT_OUT)


def test_a_rule_that_nobody_has_judged_refuses():
    assert rules.level("a-rule-of-a-newer-squawk", "expand") == "error"


def test_warnings_refuse_nothing(own):
    own.add("CREATE TABLE t (id int PRIMARY KEY, name varchar(20), made timestamp)", "ALTER TYPE mood ADD VALUE 'new'")
    assert errors(own) == [set()]
    assert warnings(own) == {
        "ban-add-enum-value", "prefer-bigint-over-int", "prefer-text-field", "prefer-timestamp-tz",
    }  # fmt: skip


def test_concurrently_outside_of_a_transaction_is_fine_when_declared_and_safe_to_run_again(own):
    own.add(body=outside('create_index("i", "orders", ("n",))'), constants=OUTSIDE)
    own.add(body=outside('once("VACUUM orders", done="SELECT false")'), constants=OUTSIDE)
    own.add(body=outside('drop_index("i")'), constants=OUTSIDE)
    assert errors(own) == [set(), set(), {"ban-drop-index"}]


def test_what_is_made_in_the_same_transaction_may_be_shaped_freely(own):
    made = "CREATE TABLE parts (id bigint PRIMARY KEY, n bigint)"
    own.add(
        made, "CREATE INDEX i ON parts (n)", "ALTER TABLE parts ADD CHECK (n > 0)", "UPDATE parts SET n = 1",
        "ALTER TABLE parts ADD COLUMN k bigserial", "ALTER TABLE parts ADD COLUMN m int CHECK (m > 0)", constants="",
    )  # fmt: skip
    own.add("CREATE INDEX j ON parts (n)", constants='tables = ("parts",)')
    assert errors(own) == [set(), {"require-concurrent-index-creation"}]


def test_not_null_after_a_check_that_an_earlier_revision_has_validated(own):
    """Without the validation the same statement reads the table with everybody shut out."""
    check = "ALTER TABLE orders ADD CONSTRAINT there CHECK (n IS NOT NULL) NOT VALID"
    own.add("ALTER TABLE orders ADD COLUMN n bigint")
    own.add(check, phase="contract")
    own.add("ALTER TABLE orders ALTER n SET NOT NULL", phase="contract")
    assert errors(own) == [set(), set(), {"adding-not-nullable-field"}]
    own.add("ALTER TABLE orders VALIDATE CONSTRAINT there", phase="contract")
    own.add("ALTER TABLE orders ALTER n SET NOT NULL", phase="contract")
    assert errors(own) == [set(), set(), {"adding-not-nullable-field"}, set(), set()]


def test_add_and_validate_in_one_transaction_is_no_better_than_a_plain_check(own):
    own.add("ALTER TABLE orders ADD COLUMN n bigint")
    own.add(
        "ALTER TABLE orders ADD CONSTRAINT there CHECK (n IS NOT NULL) NOT VALID",
        "ALTER TABLE orders VALIDATE CONSTRAINT there", phase="contract",
    )  # fmt: skip
    assert errors(own) == [set(), {"constraint-missing-not-valid"}]


def test_a_value_of_an_enum_is_not_used_in_the_transaction_that_adds_it(own):
    added = "ALTER TYPE mood ADD VALUE 'great'"
    own.add(added, "CREATE TABLE days (id bigint PRIMARY KEY, mood mood DEFAULT 'great')")
    own.add(added, "CREATE TABLE nights (id bigint PRIMARY KEY, mood mood DEFAULT 'sad')")
    own.add("CREATE TABLE weeks (id bigint PRIMARY KEY, mood mood DEFAULT 'great')")
    assert errors(own) == [{"enum-value-used"}, set(), set()]


def test_an_enum_is_not_exchanged_by_renaming_it(own):
    """What a plug-in for enums writes instead of ADD VALUE: it rewrites each table that uses the type."""
    own.add(
        "ALTER TYPE status RENAME TO status_old",
        "CREATE TYPE status AS ENUM ('new', 'paid', 'sent')",
        "ALTER TABLE orders ALTER COLUMN status TYPE status USING status::text::status",
        "DROP TYPE status_old",
    )
    own.add("ALTER TYPE status ADD VALUE 'sent'")
    assert errors(own) == [{"renaming-object", "changing-column-type", "ban-drop-type"}, set()]


def test_a_default_that_only_python_knows(own):
    own.add(body='op.add_column("orders", sa.Column("n", sa.BigInteger, nullable=False, default=3))')
    own.add(body='op.add_column("orders", sa.Column("m", sa.Text, default="new"))')
    own.add(body='op.add_column("orders", sa.Column("k", sa.Text, default="new", server_default="new"))')
    assert errors(own) == [{"python-side-default", "adding-required-field"}, {"python-side-default"}, set()]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('if op.get_bind() is not None:\n    op.execute("DROP TABLE orders")', "get_bind in line"),
        ('if not op.get_context().as_sql:\n    op.execute("DROP TABLE orders")', "as_sql in line"),
        ("raise SystemExit(0)", "it ends with SystemExit: 0"),
        ('raise ValueError("no rows")', "it ends with ValueError: no rows"),
    ],
)
def test_sql_that_depends_on_the_database_is_told_and_refused(own, body, why):
    own.add(body=body)
    found = [finding for finding in lint(own.tree())[0].errors if finding.rule == rules.OFFLINE]
    assert len(found) == 1
    assert why in found[0].message


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("from pathlib import Path\nop.execute(Path(__file__).with_suffix('.sql').read_text())", "e0001_test.sql"),
        ("with open(__file__.replace('.py', '.sql')) as file:\n    op.execute(file.read())", "e0001_test.sql"),
        ("from migrations import history\nop.execute('SELECT 1')", "migrations.history"),
        ("import app.shape as shape\nop.execute('SELECT 1')", "app.shape"),
    ],
)
def test_what_a_revision_takes_from_beside_its_file_is_refused(own, body, named):
    """The checksum is of its own file: an edit of the other one after it was applied would go unseen."""
    own.add(body=body)
    (own.folder / "expand" / "e0001_test.sql").write_text("COMMENT ON TABLE orders IS 'x'")
    found = [finding for finding in lint(own.tree())[0].errors if finding.rule == rules.READS]
    assert [named in finding.message for finding in found] == [True]


def test_a_backfill_leaves_the_tables_of_the_runner_alone(own):
    own.add("CREATE TABLE parts (id bigint)")
    text = BACKFILL.format(assign="n = 1", todo="id IN (SELECT 1 FROM schema_history)")
    (own.folder / "backfills" / "b0001_fill.py").write_text(text)
    (own.folder / "backfills" / "HEAD").write_text("b0001\n")
    assert errors(own)[1] == {"runners-own-tables"}


def test_one_revision_that_is_no_sql_hides_nothing_of_the_others(own):
    own.add("ALTER TABLE orders ADDS n bigint")
    own.add("ALTER TABLE orders DROP COLUMN price")
    assert errors(own) == [{"syntax-error"}, {"ban-drop-column"}]


BACKFILL = """revision = "b0001"
down_revision = None
needs = "e0001"
table = "orders"
key = "id"
assign = {assign!r}
todo = {todo!r}
"""


@pytest.mark.parametrize(
    ("assign", "todo", "refused"),
    [
        ("n = 1", "n IS NULL", set()),
        ("n = (SELECT max(k) FROM parts)", "n IS NULL AND t ~ ';'", set()),
        ("n = 1", "n IS NULL; DROP TABLE orders", {"backfill-statement"}),
        ("n = 1 WHERE n IS NULL; UPDATE orders SET n = 2", "n = 1", {"backfill-statement"}),
    ],
)
def test_the_texts_of_a_backfill_make_one_update(own, assign, todo, refused):
    """The tree refuses what is no SQL; who lets that pass with an exception still has this rule before him."""
    own.add("CREATE TABLE parts (id bigint)")
    text = BACKFILL.format(assign=assign, todo=todo)
    if refused:
        text += 'lint_exceptions = {"syntax-error": "what the test is about"}\n'
    (own.folder / "backfills" / "b0001_fill.py").write_text(text)
    (own.folder / "backfills" / "HEAD").write_text("b0001\n")
    assert errors(own)[1] - {"lint-exceptions"} == refused
