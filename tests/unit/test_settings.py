"""Settings: every mistake is named in one error, with what was found and what was expected."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import config as runtime_config
from pulumi.runtime.settings import configure, reset_options

from infra import settings
from infra.setting_keys import FARGATE_MEMORY, KEYS, Kind

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True, scope="module")
def no_engine() -> Iterator[None]:
    configure(pulumi.runtime.Settings(project="bluegreen", stack="test"))
    yield
    reset_options()
    runtime_config.set_all_config({}, [])


def load(given: dict[str, Any] | None = None, *, secret: tuple[str, ...] = ()) -> settings.Settings:
    values = {"region": "eu-west-1", "context": str(ROOT), **(given or {})}
    texts = {f"bluegreen:{key}": _text(value) for key, value in values.items() if value is not None}
    runtime_config.set_all_config(texts, [f"bluegreen:{key}" for key in secret])
    return settings.load(pulumi.Config("bluegreen"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def refusal(given: dict[str, Any], **more: Any) -> str:
    with pytest.raises(pulumi.RunError) as error:
        load(given, **more)
    return str(error.value)


def test_only_the_region_must_be_set() -> None:
    loaded = load()
    assert loaded.region == "eu-west-1"
    assert loaded.endpoint is None
    assert loaded.protect is True
    assert loaded.network.zones == ("a", "b")
    assert loaded.release.version is None
    assert loaded.release.steps == (10, 50, 100)


def test_settings_can_not_be_changed() -> None:
    with pytest.raises(AttributeError, match="cannot assign"):
        load().release.version = "x"  # type: ignore[misc]


def test_values_that_are_false_or_zero_are_kept() -> None:
    loaded = load({"protect": False, "bakeSeconds": 0, "deregistrationDelaySeconds": 0, "alarms": []})
    assert (loaded.protect, loaded.release.bake, loaded.service.deregistration_delay) == (False, 0, 0)


REFUSED = [
    ({"region": None}, "bluegreen:region: not set; expected an AWS region such as eu-west-1"),
    ({"region": "Ireland"}, "bluegreen:region: found 'Ireland'; expected an AWS region"),
    ({"regoin": "x"}, "bluegreen:regoin: unknown key; did you mean region?"),
    ({"desiredcount": 1}, "bluegreen:desiredcount: unknown key; did you mean desiredCount?"),
    ({"qqqq": 1}, "bluegreen:qqqq: unknown key; the known ones are adopt, alarms, allowedCidrs"),
    ({"desiredCount": "two"}, "bluegreen:desiredCount: found 'two'; expected an integer"),
    ({"desiredCount": 0}, "bluegreen:desiredCount: found '0'; expected a number from 1 to 1000 (tasks)"),
    ({"desiredCount": 2.5}, "bluegreen:desiredCount: found '2.5'; expected an integer"),
    ({"protect": "yes"}, "bluegreen:protect: found 'yes'; expected a boolean"),
    ({"steps": "10, 100"}, "bluegreen:steps: found '10, 100'; expected a list of integers"),
    ({"steps": ["10", 100]}, "expected a list of integers"),
    ({"steps": [True, 100]}, "expected a list of integers"),
    ({"steps": []}, "bluegreen:steps: found '[]'; expected percentages for the new color that rise"),
    ({"steps": [10, 50]}, "end at 100"),
    ({"steps": [50, 10, 100]}, "rise"),
    ({"steps": [0, 100]}, "from at least 1"),
    ({"steps": [50, 100, 100]}, "rise"),
    ({"steps": [10, 110]}, "end at 100"),
    ({"bakeSeconds": -1}, "bluegreen:bakeSeconds: found '-1'; expected a number from 0 to 86400 (seconds)"),
    ({"version": "v 1"}, "bluegreen:version: found 'v 1'; expected 1 to 128 letters"),
    ({"version": "-1"}, "bluegreen:version: found '-1'"),
    ({"version": "x" * 129}, "bluegreen:version: found 'xxx"),
    ({"previous": "cold"}, "bluegreen:previous: found 'cold'; expected one of warm, retired"),
    ({"adopt": "e0001, e0002"}, "bluegreen:adopt: found 'e0001, e0002'; expected the name of an expand revision"),
    ({"refuseDrift": "yes"}, "bluegreen:refuseDrift: found 'yes'; expected one of never, breaking, any"),
    ({"endpoint": "localhost:4566"}, "bluegreen:endpoint: found 'localhost:4566'; expected an address such as"),
    ({"endpoint": "http://x:99999"}, "bluegreen:endpoint"),
    ({"endpoint": "http://x/path"}, "without a path"),
    ({"context": "/nowhere"}, "bluegreen:context: found '/nowhere', which holds no app/Dockerfile"),
    ({"vpcCidr": "10.20.0.1/16"}, "bluegreen:vpcCidr: found '10.20.0.1/16'; expected a private IPv4 range"),
    ({"vpcCidr": "8.8.0.0/16"}, "a private IPv4 range"),
    ({"vpcCidr": "10.0.0.0/8"}, "/16 to /22"),
    ({"zones": 1}, "bluegreen:zones: found '1'; expected a number from 2 to 8"),
    ({"zones": 3, "zoneLetters": "ac"}, "bluegreen:zones: found 3; zoneLetters 'ac' names only 2, add letters"),
    ({"zoneLetters": "aab"}, "distinct letters"),
    ({"allowedCidrs": ["10.0.0.1/24"]}, "bluegreen:allowedCidrs"),
    ({"allowedCidrs": ["10.0.0.0/24", "10.0.0.0/24"]}, "distinct IPv4 ranges"),
    ({"cpu": 300}, "bluegreen:cpu: found '300'; expected one of 256, 512, 1024"),
    ({"memory": 600}, "bluegreen:memory: found 600 MiB; Fargate sells cpu 256 with 512, 1024, 2048"),
    ({"listenerPort": 0}, "bluegreen:listenerPort: found '0'; expected a number from 1 to 65535 (a TCP port)"),
    ({"testListenerPort": 80}, "bluegreen:testListenerPort: found 80, the same as listenerPort"),
    ({"certificateArn": "arn:aws:iam::1:x"}, "expected the ARN of a certificate in ACM"),
    ({"logRetentionDays": 2}, "bluegreen:logRetentionDays: found '2'; expected one of 1, 3, 5"),
    ({"databaseVersion": "17.2"}, "bluegreen:databaseVersion: found '17.2'; expected an integer"),
    ({"databaseSslMode": "off"}, "expected one of require, disable"),
    ({"natGateway": False}, "bluegreen:natGateway: found false, with vpcEndpoints and publicTasks false too"),
    ({"vpcEndpoints": True}, "bluegreen:vpcEndpoints: found true beside natGateway"),
    ({"natGateway": False, "vpcEndpoints": True}, "the smoke test could reach no public load balancer"),
    ({"natGateway": False, "publicTasks": True}, "bluegreen:testAllowedCidrs: found none with publicTasks"),
    ({"timeoutSeconds": 120}, "bluegreen:timeoutSeconds: found 120; expected more than the 120 s"),
    ({"alarms": ["a", "a"]}, "bluegreen:alarms"),
    ({"alarms": [""]}, "1 to 255 characters"),
    ({"backfillSettings": ["SHARE=1"]}, "bluegreen:backfillSettings"),
    ({"backfillSettings": ["SHARE_PERCENT=101"]}, "SHARE_PERCENT (1 to 100)"),
    ({"backfillSettings": ["PASSES=1", "PASSES=2"]}, "distinct settings such as"),
]


@pytest.mark.parametrize(("given", "expected"), REFUSED, ids=lambda case: str(case)[:50])
def test_a_value_that_makes_no_sense_is_refused(given: dict[str, Any], expected: str) -> None:
    message = refusal(given)
    assert expected in message
    assert message.endswith("(stack test; nothing was changed)")
    assert "\n" not in message


def test_a_certificate_needs_a_name_and_its_own_port() -> None:
    certificate = f"arn:aws:acm:eu-west-1:123456789012:certificate/{'a' * 8}"
    assert "hostName: not set with a certificate" in refusal({"certificateArn": certificate, "listenerPort": 443})
    message = refusal({"certificateArn": certificate, "hostName": "orders.example.com"})
    assert "listenerPort: found port 80 with a certificate" in message
    good = load({"certificateArn": certificate, "hostName": "orders.example.com", "listenerPort": 443})
    assert good.listener.host_name == "orders.example.com"


def test_all_mistakes_come_together() -> None:
    message = refusal({"regoin": "x", "desiredCount": "two", "steps": [5], "cpu": 512, "memory": 512})
    lines = message.splitlines()
    assert lines[0] == ("4 settings of stack test cannot be used; nothing was changed. Mend them in Pulumi.test.yaml:")
    assert [line.split(":")[1] for line in lines[1:]] == ["regoin", "steps", "desiredCount", "memory"]


def test_a_setting_that_is_encrypted_without_need_is_refused() -> None:
    message = refusal({"version": "abc"}, secret=("version",))
    assert "bluegreen:version: is encrypted, but is no secret" in message


def test_an_encrypted_unknown_key_does_not_show_its_value() -> None:
    message = refusal({"databasePassword": "hunter2"}, secret=("databasePassword",))
    assert "databasePassword: unknown key" in message
    assert "hunter2" not in message


def test_keys_of_other_packages_are_none_of_ours() -> None:
    runtime_config.set_all_config({"bluegreen:region": "eu-west-1", "aws:regoin": "x", "bluegreen:context": str(ROOT)})
    assert settings.load(pulumi.Config("bluegreen")).region == "eu-west-1"


@given(
    key=st.sampled_from([key.name for key in KEYS]),
    text=st.text(max_size=30) | st.integers().map(str) | st.sampled_from(["true", "[]", "[1]", '["a"]', "null", "{}"]),
)
def test_any_text_is_accepted_or_refused_by_name(key: str, text: str) -> None:
    try:
        load({key: text})
    except pulumi.RunError as error:
        assert key in str(error)  # noqa: PT017 - both outcomes are right; only the message of one is checked


@given(cpu=st.sampled_from(sorted(FARGATE_MEMORY)), memory=st.integers(min_value=512, max_value=122880))
def test_only_sizes_that_fargate_sells_are_accepted(cpu: int, memory: int) -> None:
    try:
        load({"cpu": cpu, "memory": memory})
    except pulumi.RunError:
        assert memory not in FARGATE_MEMORY[cpu]
    else:
        assert memory in FARGATE_MEMORY[cpu]


def _declared() -> dict[str, dict[str, Any]]:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    return {key.removeprefix("bluegreen:"): value for key, value in declared.items()}


def test_the_project_file_declares_the_same_keys_types_and_defaults() -> None:
    declared = _declared()
    lists = {Kind.STRINGS: {"type": "string"}, Kind.INTEGERS: {"type": "integer"}}
    assert set(declared) == {key.name for key in KEYS}
    for key in KEYS:
        entry = declared[key.name]
        assert entry["type"] == ("array" if key.kind in lists else key.kind), key.name
        assert entry.get("items") == lists.get(key.kind), key.name
        assert entry.get("default") == key.default, key.name
        assert entry["description"], key.name


@pytest.mark.parametrize("file", sorted(path.name for path in ROOT.glob("Pulumi.*.yaml")))
def test_every_stack_file_loads(file: str) -> None:
    config = yaml.safe_load((ROOT / file).read_text())["config"]
    values = {key.removeprefix("bluegreen:"): value for key, value in config.items() if key.startswith("bluegreen:")}
    assert load(values).region
