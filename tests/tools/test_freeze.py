"""`make freeze` and `make thaw` against the fake AWS."""

import os
import subprocess

import pytest

from provider.freeze import BY, SINCE, WHY
from tests.provider.fake_stack import Stack
from tests.support.fake_aws_fixtures import fake, fake_server
from tools import freeze
from tools.project import ROOT, ToolError

__all__ = ["fake", "fake_server"]  # fixtures
pytestmark = pytest.mark.slow


@pytest.fixture
def stack(fake, tmp_path, monkeypatch):
    made = Stack(fake)
    made.set_weights(90, 10)
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(f'config:\n  bluegreen:region: eu-west-1\n  bluegreen:endpoint: "{fake.endpoint}"\n')
    monkeypatch.setattr(freeze, "settings", lambda _: file)
    monkeypatch.setattr(freeze.naming, "prefix", lambda *_: made.name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("BUILD_USER_ID", "jo")
    return made


def tags(stack):
    found = stack.fake.client("elbv2").describe_tags(ResourceArns=[stack.rule])["TagDescriptions"]
    return {tag["Key"]: tag["Value"] for one in found for tag in one["Tags"]}


def test_freeze_then_thaw(stack, capsys):
    assert freeze.freeze("dev", 'orders (of "today") vanish; ask Jo') == 0
    assert (tags(stack)[BY], tags(stack)[WHY]) == ("jo", "orders of today vanish ask Jo")
    said = capsys.readouterr().out
    assert "stack dev: blue 90 / green 10, frozen since" in said
    assert "the reason is a tag on the rule: 256 letters, digits, spaces and _.:/=+-@, no other signs" in said
    assert f"aws elbv2 remove-tags --resource-arns {stack.rule} --tag-keys {SINCE} {BY} {WHY}" in said

    assert freeze.freeze("dev", "another") == 0
    assert "already frozen since" in capsys.readouterr().out
    assert tags(stack)[WHY] == "orders of today vanish ask Jo"

    assert freeze.thaw("dev") == 0
    assert "they were frozen since" in capsys.readouterr().out
    assert not tags(stack)
    assert freeze.thaw("dev") == 0
    assert "not frozen; nothing was changed" in capsys.readouterr().out
    assert stack.weights() == (90, 10)


def test_a_reason_that_fits_is_kept_without_a_word(stack, capsys):
    assert freeze.freeze("dev", "  orders vanish:  ask jo@example.com ") == 0
    assert tags(stack)[WHY] == "orders vanish: ask jo@example.com"
    assert "no other signs" not in capsys.readouterr().out


@pytest.mark.parametrize(("reason", "found"), [("  ", "no REASON"), ("?!", "REASON='\\?!'")])
def test_a_freeze_without_a_reason_is_refused(stack, reason, found):
    with pytest.raises(ToolError, match=f"found {found}, expected words"):
        freeze.freeze("dev", reason)
    assert not tags(stack)


@pytest.mark.usefixtures("stack")
def test_a_stack_without_a_load_balancer_is_named(monkeypatch):
    monkeypatch.setattr(freeze.naming, "prefix", lambda *_: "nowhere")
    expected = r"stack dev: found no load balancer .* in eu-west-1 .*TargetGroupNotFound.*`make up STACK=dev` makes"
    with pytest.raises(ToolError, match=expected):
        freeze.thaw("dev")


def test_without_the_embedded_aws_there_is_nothing_to_freeze(stack, tmp_path, monkeypatch):
    monkeypatch.setenv("BLUEGREEN_LOCAL_DIR", str(tmp_path / "none"))
    with pytest.raises(ToolError, match="the embedded AWS does not run"):
        freeze.freeze("local", "why")
    assert not tags(stack)


@pytest.mark.parametrize("typed", ["lost $100 of Jo's $orders", "$(shell touch made) ${HOME} $$", '100% #1 `id` "x"'])
@pytest.mark.parametrize("place", ["argument", "environment"])
def test_make_hands_a_reason_on_as_it_was_typed(tmp_path, typed, place):
    probe = tmp_path / "probe.mk"
    probe.write_text(f'include {ROOT / "Makefile"}\nprobe:\n\t@printf %s "$$REASON"\n')
    given = [f"REASON={typed}"] if place == "argument" else []
    outer = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment = {**outer, "HOME": str(tmp_path), **({} if given else {"REASON": typed})}
    command = ["make", "-s", "-f", str(probe), "probe", *given]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == typed
    assert sorted(one.name for one in tmp_path.iterdir()) == ["probe.mk"]
