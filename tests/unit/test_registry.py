"""Repository and image: tags never move, digests are referred to, and going back never builds."""

import json

from infra.registry import LIFECYCLE, Registry, RegistryArgs
from tests.unit.program import run_part, run_program
from tests.unit.recording import Recording

IMAGE, REPOSITORY = "docker:index/image:Image", "aws:ecr/repository:Repository"


def registry(**changes: object) -> tuple[Recording, list[Registry]]:
    usual = {
        "prefix": "bluegreen-test",
        "context": ".",
        "dockerfile": "app/Dockerfile",
        "architecture": "ARM64",
        "tree_version": "abc123",
        "build": True,
        "protect": True,
    }
    made: list[Registry] = []
    recording = run_part(lambda: made.append(Registry("registry", RegistryArgs(**{**usual, **changes}))))
    return recording, made


def test_a_tag_is_pushed_once_and_scanned() -> None:
    inputs = registry()[0].one(REPOSITORY).inputs
    assert inputs["imageTagMutability"] == "IMMUTABLE"
    assert inputs["imageScanningConfiguration"] == {"scanOnPush": True}
    assert inputs["forceDelete"] is False


def test_the_image_is_built_from_the_tree_and_tagged_with_its_version() -> None:
    image = registry()[0].one(IMAGE)
    assert image.inputs["imageName"].endswith("/bluegreen-test:abc123")
    assert image.inputs["build"] == {"context": ".", "dockerfile": "./app/Dockerfile", "platform": "linux/arm64"}
    assert image.ignore_changes == ()


def test_another_wanted_version_leaves_the_image_alone_and_names_none() -> None:
    recording, made = registry(build=False)
    assert recording.one(IMAGE).ignore_changes == ("build", "imageName")
    assert made[0].image is None


def test_the_plan_gets_a_digest_or_nothing() -> None:
    plan = run_program().one("bluegreen:index:Release").inputs
    assert plan["image"].endswith("/bluegreen-test@sha256:" + "0" * 64)
    pinned = run_program(version="v1").one("bluegreen:index:Release").inputs
    assert "image" not in pinned
    assert pinned["version"] == "v1"


def test_no_image_with_a_tag_is_ever_expired() -> None:
    policy = json.loads(registry()[0].one("aws:ecr/lifecyclePolicy:LifecyclePolicy").inputs["policy"])
    assert policy == LIFECYCLE
    assert {rule["selection"]["tagStatus"] for rule in policy["rules"]} == {"untagged"}
