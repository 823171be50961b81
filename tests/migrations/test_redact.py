"""What a query shows in an error: its shape, and no literal of it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations.locking.redact import NOT_SHOWN, redact

SECRET = "Zq7xPerson"  # in every literal below
# Nothing that ends one of the literals, a comment among them.
_around = st.text(st.characters(exclude_characters="'\\\"$\0*/\r\n", exclude_categories=("Cs",)), max_size=6)
_digits = st.integers(10**12, 10**13 - 1).map(str)
_tag = st.sampled_from(["", "a", "body", "é1"])


def _surrounded(left, right):
    return st.tuples(_around, _around).map(lambda ends: f"{left}{ends[0]}{SECRET}{ends[1]}{right}")


_literals = st.one_of(
    _surrounded("'", "'"),
    _surrounded("'it''s ", "'"),
    _surrounded("E'it\\'s ", "\\\\'"),
    _surrounded("e'", "''\\''"),
    _surrounded("B'", "'"),
    _surrounded("N'", "'"),
    _surrounded("U&'", "'"),
    _surrounded('"a title ', '"'),
    _surrounded("-- ", "\n"),
    _surrounded("/* ' /* ", " */ ' */"),
    st.tuples(_tag, _around).map(lambda two: f"${two[0]}${two[1]} ' {SECRET} $x$ ${two[0]}$"),
)
_keywords = ["SELECT ", " FROM orders ", "WHERE id = ", " AND ", "::text", "E", "U&", "é"]
_shapes = st.sampled_from([*_keywords, ",", "(", ")", " ", "$1", "a$b$c ", "-", '"orders"'])


@given(st.lists(st.one_of(_literals, _shapes), max_size=12))
def test_no_literal_survives(parts):
    assert SECRET not in redact("".join(parts))


@given(st.lists(st.one_of(_literals, _shapes), max_size=8), st.integers(0, 400))
def test_no_literal_survives_in_a_text_that_was_cut_off(parts, at):
    """`pg_stat_activity` keeps the first 1,024 bytes."""
    whole = "".join(parts)
    shown = redact(whole[:at])
    assert "Zq7x" not in shown


@given(_digits, st.sampled_from(["{}", "{}.5", ".{}", "1e{}", "0x{}", "-{}", "1_{}", "{}abc", "$${}$$", "'{}'"]))
def test_no_number_survives(digits, shape):
    literal = shape.format(digits)
    assert digits not in redact(f"{literal} AND c IN ({literal}, a, {literal})")


@given(st.text())
def test_any_text_is_answered_without_a_quote_or_a_lone_number(text):
    shown = redact(text)
    assert "'" not in shown
    punctuation = str.maketrans(dict.fromkeys('-+*/<>=~!@#%^&|`?,;:.()[]{}"', " "))
    words = shown.translate(punctuation).split()
    assert shown == NOT_SHOWN or "$" in shown or not any(word[0] in string.digits for word in words)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("SELECT price FROM orders WHERE id = 7", "SELECT price FROM orders WHERE id = ?"),
        ("UPDATE orders\n   SET customer = 'Jane'  WHERE id=$1", "UPDATE orders SET customer = ? WHERE id=$1"),
        ('COPY public."orders" TO stdout', 'COPY public."orders" TO stdout'),
        ('SELECT 1 AS "Jane\'s order"', "SELECT ? AS ?"),
        ("DO $$ BEGIN PERFORM 'x'; END $$", "DO ?"),
        ("/* user=jane */ COMMIT -- jane", "COMMIT"),
        ("SELECT pg_sleep(60)", "SELECT pg_sleep(?)"),
        ("<insufficient privilege>", "<insufficient privilege>"),
        ("", ""),
    ],
)
def test_the_shape_stays(query, shown):
    assert redact(query) == shown


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 'cut off in a str",
        "SELECT $a$ cut off",
        "SELECT /* cut /* off */",
        'SELECT "cut off',
        "SELECT 'C:\\', secret, 'x'",  # by one setting a string, by the other it goes on
        "SELECT \0",
        "SELECT $1abc",
        "\\copy orders",
    ],
)
def test_what_is_not_understood_is_replaced_whole(query):
    assert redact(query) == NOT_SHOWN


def test_a_long_query_is_cut():
    shown = redact("SELECT " + ", ".join(f"column_{at}" for at in range(100)))
    assert len(shown) == 200
    assert shown.endswith("...")
