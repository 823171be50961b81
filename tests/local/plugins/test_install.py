"""The launchers in the plugin cache."""

import os
import subprocess
import sys
from importlib.metadata import version

from local.plugins import install
from local.plugins.aws.plugin import Aws
from local.plugins.docker.plugin import Docker


def test_launchers_lie_where_the_engine_looks_for_the_versions_of_the_sdks(tmp_path):
    install(tmp_path)
    folders = sorted(folder.name for folder in (tmp_path / "plugins").iterdir())
    assert folders == [f"resource-aws-v{version('pulumi-aws')}", f"resource-docker-v{version('pulumi-docker')}"]
    for folder in (tmp_path / "plugins").iterdir():
        (launcher,) = folder.iterdir()
        assert launcher.name == "pulumi-resource-" + folder.name.split("-")[1]
        assert os.access(launcher, os.X_OK)
        assert sys.executable in launcher.read_text()


def test_laying_them_again_changes_nothing_and_leaves_others_alone(tmp_path):
    other = tmp_path / "plugins" / "resource-aws-v1.0.0" / "pulumi-resource-aws"
    other.parent.mkdir(parents=True)
    other.write_text("official")
    install(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("pulumi-resource-*")}
    install(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("pulumi-resource-*")} == before
    assert other.read_text() == "official"


def test_a_plugin_loads_nothing_of_botocore_before_it_is_needed():
    """Starting one is on the way of every preview."""
    look = (
        "import sys; from provider.rpc.stubs import bare; bare(); import local.plugins.aws.plugin, "
        "local.plugins.docker.plugin; print([m for m in ('botocore', 'boto3', 'jmespath') if m in "
        "sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_plugins_say_the_version_under_which_they_lie():
    assert Aws.version == version("pulumi-aws")
    assert Docker.version == version("pulumi-docker")
