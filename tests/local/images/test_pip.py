"""RUN pip install, from wheels that lie in the context: no package index is asked."""

import base64
import hashlib
import subprocess
import zipfile

import pytest

from local.images.build import build
from local.images.dockerfile import DockerfileError
from local.images.recipe import read
from local.images.store import Images

pytestmark = pytest.mark.slow

DOCKERFILE = """\
FROM python:3.12-slim
WORKDIR /srv
COPY wheels wheels
COPY requirements.txt .
RUN pip install --no-cache-dir --no-index --find-links wheels --require-hashes -r requirements.txt
COPY main.py .
CMD ["demo"]
"""
WHEEL = "demo-1.0-py3-none-any.whl"


def wheel(folder):
    """A wheel with one module and one script; its hash."""
    folder.mkdir()
    files = {
        "demo.py": "def main():\n    print('installed')\n",
        "demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        "demo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "demo-1.0.dist-info/entry_points.txt": "[console_scripts]\ndemo = demo:main\n",
    }
    lines = []
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(text)}")
    files["demo-1.0.dist-info/RECORD"] = "\n".join([*lines, "demo-1.0.dist-info/RECORD,,", ""])
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "requirements.txt").write_text(f"demo==1.0 --hash=sha256:{wheel(folder / 'wheels')}\n")
    (folder / "main.py").write_text("one")
    return folder


def made(project, images, report=lambda _: None):
    digest = build(images, read(project, project / "Dockerfile", arguments={}), report)
    images.tag("registry/demo:v", digest)
    return images.resolve("registry/demo:v")


@pytest.mark.parametrize("uv", [True, False])
def test_what_is_installed_runs_from_where_the_image_lies(project, tmp_path, monkeypatch, uv):
    if not uv:
        monkeypatch.setattr("local.images.run.shutil.which", lambda *_, **__: None)
    image = made(project, Images(tmp_path / "images"))
    done = subprocess.run(image.command, env=dict(image.environment), check=True, capture_output=True, text=True)
    assert done.stdout == "installed\n"


def test_versions_share_what_is_installed(project, tmp_path):
    images, runs = Images(tmp_path / "images"), []
    one = made(project, images, runs.append)
    (project / "main.py").write_text("two")
    two = made(project, images, runs.append)
    installed = "usr/local/lib/{}/site-packages/demo.py"
    (name,) = (path.name for path in (one.rootfs / "usr/local/lib").iterdir())
    assert len(runs) == 1
    assert (one.rootfs / installed.format(name)).samefile(two.rootfs / installed.format(name))


def test_another_hash_is_refused_and_named(project, tmp_path):
    (project / "requirements.txt").write_text(f"demo==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(DockerfileError) as error:
        made(project, Images(tmp_path / "images"))
    assert "Dockerfile, line 5: RUN: pip install" in str(error.value)
    assert "demo" in str(error.value).split("ended with code", 1)[1]
