import pytest

from app import settings

GOOD = {"APP_VERSION": "v1", "DB_HOST": "h", "DB_NAME": "n", "DB_USER": "u", "DB_PASSWORD": "p"}


def test_defaults_are_those_of_a_task_on_aws():
    found = settings.load(GOOD)
    assert (found.host, found.port, found.pool_size) == ("0.0.0.0", 8080, 10)  # noqa: S104
    assert (found.database.port, found.database.sslmode) == (5432, "require")


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_setting_is_named(name, value):
    environment = {key: found for key, found in {**GOOD, name: value}.items() if found is not None}
    with pytest.raises(settings.SettingsError, match=f"^{name}: not set or empty"):
        settings.load(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("PORT", "-1"),
        ("PORT", "\u0665"),
        ("POOL_SIZE", "0"),
        ("POOL_SIZE", "1.5"),
        ("POOL_TIMEOUT_SECONDS", "0"),
        ("DB_PORT", "x"),
        ("DB_SSLMODE", "yes"),
        ("LOG_LEVEL", "loud"),
        ("APP_VERSION", "a b"),
        ("APP_VERSION", "x" * 129),
    ],
)
def test_a_wrong_setting_says_what_was_found_and_expected(name, value):
    with pytest.raises(settings.SettingsError, match=rf"^{name}: found .*expected"):
        settings.load({**GOOD, name: value})


def test_a_password_is_never_shown():
    assert "hidden-one" not in repr(settings.load({**GOOD, "DB_PASSWORD": "hidden-one"}))
