"""The docker plugin: plans from the content, builds and pushes into the ECR of an AWS API of the tests' own."""

import boto3
import pytest

from local.images.store import Images
from tests.local.plugins.plugin_cache import UNKNOWN, PluginError, cached_plugin

IMAGE = "docker:index/image:Image"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.fixture(scope="module")
def state_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def docker(plugin_home, api, state_folder):
    with cached_plugin("docker", plugin_home, **api, BLUEGREEN_LOCAL_DIR=str(state_folder)) as plugin:
        plugin.configure()
        yield plugin


@pytest.fixture(scope="module")
def ecr(api):
    client = boto3.client(
        "ecr", endpoint_url=api["AWS_ENDPOINT_URL"], region_name="eu-west-1", aws_access_key_id="test",
        aws_secret_access_key="test",
    )  # fmt: skip
    client.create_repository(repositoryName="orders", imageTagMutability="IMMUTABLE")
    return client


@pytest.fixture
def project(tmp_path):
    (tmp_path / "app.py").write_text("one")
    (tmp_path / "Dockerfile").write_text('FROM python:3.12\nCOPY app.py /srv/\nCMD ["python", "/srv/app.py"]\n')
    return tmp_path


def inputs(project, tag="v1", login="p", **more):
    registry = {"server": f"{REGISTRY}/orders", "username": "AWS", "password": login}
    build = {"context": str(project), "dockerfile": str(project / "Dockerfile")}
    return {
        "imageName": f"{REGISTRY}/orders:{tag}", "build": build, "registry": registry, "buildOnPreview": False, **more,
    }  # fmt: skip


def test_a_plan_knows_the_digest_and_builds_nothing(docker, project, state_folder):
    checked = docker.checked(IMAGE, inputs(project))
    id_, state = docker.create(IMAGE, checked, preview=True)
    assert id_ == ""
    assert state["repoDigest"] == f"{REGISTRY}/orders@{checked['build']['contextDigest']}"
    assert not (state_folder / "images").exists()


def test_a_repository_that_is_not_there_yet(docker, project):
    checked = docker.checked(IMAGE, {**inputs(project), "imageName": UNKNOWN})
    assert docker.create(IMAGE, checked, preview=True)[1]["repoDigest"] == UNKNOWN


def test_built_pushed_and_found_by_tag_and_digest(docker, project, ecr, state_folder):
    id_, checked, state = docker.make(IMAGE, inputs(project, "v1"))
    digest = state["repoDigest"].partition("@")[2]
    assert id_ == state["repoDigest"]
    assert digest == checked["build"]["contextDigest"]
    (found,) = ecr.describe_images(repositoryName="orders", imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert found["imageDigest"] == digest
    images = Images(state_folder / "images")
    assert images.resolve(state["repoDigest"]) == images.resolve(f"{REGISTRY}/orders:v1")
    again = docker.make(IMAGE, inputs(project, "v1"))[2]
    assert again["repoDigest"] == state["repoDigest"]


def test_only_name_and_content_are_changes(docker, project):
    old = docker.checked(IMAGE, inputs(project))
    state = {**old, "repoDigest": "x"}
    rotated = docker.checked(IMAGE, inputs(project, login="another"))
    assert not docker.diff(IMAGE, old, rotated, state).diffs
    (project / "app.py").write_text("two")
    changed = docker.checked(IMAGE, inputs(project, "v2"))
    assert sorted(docker.diff(IMAGE, old, changed, state).diffs) == ["build", "imageName"]
    assert not docker.diff(IMAGE, old, changed, state, ignore=("build", "imageName")).diffs


def test_a_content_that_was_ignored_once_is_still_built_later(docker, project):
    """The engine keeps the inputs of a run that ignored the tree; what was built is in the state."""
    built = docker.checked(IMAGE, inputs(project))
    (project / "app.py").write_text("two")
    ignored = docker.checked(IMAGE, inputs(project))
    assert list(docker.diff(IMAGE, ignored, ignored, {**built, "repoDigest": "x"}).diffs) == ["build"]


def test_a_tag_never_gets_another_content(docker, project, ecr):
    docker.make(IMAGE, inputs(project, "fixed"))
    (project / "app.py").write_text("two")
    with pytest.raises(PluginError, match="tags never move there"):
        docker.make(IMAGE, inputs(project, "fixed"))
    assert ecr.describe_images(repositoryName="orders", imageIds=[{"imageTag": "fixed"}])["imageDetails"]


def test_an_image_that_left_the_repository_is_read_as_gone(docker, project, ecr):
    id_, checked, state = docker.make(IMAGE, inputs(project, "short"))
    assert docker.read(IMAGE, id_, checked, state)[0] == id_
    digest = state["repoDigest"].partition("@")[2]
    ecr.batch_delete_image(repositoryName="orders", imageIds=[{"imageDigest": digest}])
    assert docker.read(IMAGE, id_, checked, state)[0] == ""


@pytest.mark.parametrize(
    ("change", "property_", "reason"),
    [
        ({"imageName": "docker.io/library/x"}, "imageName", "images of the embedded AWS go to ECR"),
        ({"imageName": f"{REGISTRY}/orders@sha256:0"}, "imageName", "the digest comes from the content"),
        ({"imageName": None}, "imageName", "is required"),
        ({"cacheFrom": []}, "cacheFrom", "known are"),
        ({"build": {"target": "x"}}, "build.target", "known are"),
        ({"build": {"context": "/nowhere"}}, "build", "is not a folder"),
    ],
)
def test_what_it_cannot_take_is_named(docker, project, change, property_, reason):
    _, failures = docker.check(IMAGE, {**inputs(project), **change})
    assert reason in failures[property_]


def test_a_dockerfile_that_is_not_understood_is_named_in_the_plan(docker, project):
    (project / "Dockerfile").write_text("FROM python:3.12\nADD x /\n")
    _, failures = docker.check(IMAGE, inputs(project))
    assert f"{project / 'Dockerfile'}, line 2: ADD: " in failures["build"]


def test_without_the_embedded_aws_nothing_is_built(plugin_home, api, project):
    with cached_plugin("docker", plugin_home, **api) as plugin:
        with pytest.raises(PluginError, match="BLUEGREEN_LOCAL_DIR is not set"):
            plugin.make(IMAGE, inputs(project))
        with pytest.raises(PluginError, match="does not know the type docker:index/container:Container"):
            plugin.check("docker:index/container:Container", {})
