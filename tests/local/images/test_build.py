"""Recipes, builds and the store. Nothing here reaches for a package index."""

import json
import os
import subprocess
import sys

import pytest

from local.images.build import build
from local.images.dockerfile import DockerfileError
from local.images.recipe import read
from local.images.run import RunError, _installer, commands
from local.images.store import ImageNotFound, Images

HEAD = "FROM python:3.11-slim\nWORKDIR /srv\n"


@pytest.fixture
def images(tmp_path):
    return Images(tmp_path / "images")


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    (folder / "app" / "sub").mkdir(parents=True)
    (folder / "app" / "main.py").write_text("print('one')\n")
    (folder / "app" / "sub" / "x.py").write_text("x = 1\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    return folder


def recipe(project, text, **arguments):
    (project / "Dockerfile").write_text(text)
    return read(project, project / "Dockerfile", arguments=arguments)


def made(images, project, text, report=lambda _: None, **arguments):
    """The root file system of a built image."""
    digest = build(images, recipe(project, text, **arguments), report)
    return images.folder(digest) / "rootfs"


def test_copy_follows_docker(images, project):
    text = HEAD + "COPY app app\nCOPY run.sh /usr/bin/go\nCOPY run.sh app/main.py tools/\nCOPY app/*.py /glob/\n"
    root = made(images, project, text)
    assert (root / "srv/app/main.py").read_text() == "print('one')\n"
    assert (root / "srv/app/sub/x.py").exists()
    assert os.access(root / "usr/bin/go", os.X_OK)
    assert (root / "srv/tools/run.sh").exists()
    assert (root / "srv/tools/main.py").exists()
    assert [path.name for path in (root / "glob").iterdir()] == ["main.py"]


def test_copy_of_all_and_with_a_mode(images, project):
    root = made(images, project, HEAD + "COPY --chmod=600 . .\n")
    assert (root / "srv/app/sub/x.py").stat().st_mode & 0o777 == 0o600


def test_the_digest_follows_the_content_alone(project):
    text = HEAD + 'COPY app app\nCMD ["python", "-m", "app"]\n'
    first = recipe(project, text).digest
    (project / "beside").write_text("not copied")
    os.utime(project / "app" / "main.py", (1, 1))
    assert recipe(project, text).digest == first
    (project / "app" / "main.py").write_text("print('two')\n")
    second = recipe(project, text).digest
    assert second != first
    assert recipe(project, text.replace("-m", "-X")).digest != second


def test_settings_of_the_image(images, project):
    text = HEAD + (
        "ARG PORT=80\nENV A=1 B='two words' C=${PORT}\nLABEL org.example.x=y\nUSER 10001:10001\nEXPOSE $PORT 9/udp\n"
        'STOPSIGNAL SIGINT\nENTRYPOINT ["python"]\nCMD ["app/main.py"]\nCOPY app app\n'
    )
    digest = build(images, recipe(project, text, PORT="8080"))
    images.tag("registry/orders:v1", digest)
    image = images.resolve("registry/orders:v1")
    assert (image.entrypoint, image.command, image.stop_signal) == (("python",), ("app/main.py",), "SIGINT")
    assert {key: image.environment[key] for key in "ABC"} == {"A": "1", "B": "two words", "C": "8080"}
    assert image.workdir == "/srv"
    assert image.digest == digest
    assert images.configuration(digest)["ExposedPorts"] == ["8080/tcp", "9/udp"]
    done = subprocess.run(
        [*image.entrypoint, *image.command], cwd=image.rootfs / "srv", env=dict(image.environment), check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "one\n"


def test_nothing_of_the_running_environment_is_seen_inside(images, project):
    root = made(images, project, HEAD)
    look = "import sys, importlib.util as u; print(u.find_spec('pulumi'), u.find_spec('pytest'), sys.version_info[:2])"
    done = subprocess.run(
        [root / "usr/local/bin/python", "-c", look], env={}, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == f"None None {sys.version_info[:2]}"


def test_a_run_is_done_once_and_shared_by_what_stands_on_it(images, project):
    text = HEAD + "RUN python -c \"open('made', 'w').write('by run')\"\nCOPY app app\n"
    seen = []
    first = made(images, project, text, seen.append)
    (project / "app" / "main.py").write_text("print('two')\n")
    second = made(images, project, text, seen.append)
    assert len(seen) == 1
    assert first != second
    assert (first / "srv/made").samefile(second / "srv/made")
    assert (second / "srv/app/main.py").read_text() == "print('two')\n"


def test_a_run_never_writes_into_what_another_image_uses(images, project):
    text = HEAD + "RUN python -c \"open('made', 'w').write('1')\"\n"
    first = made(images, project, text)
    made(images, project, text + "RUN python -c \"open('made', 'a').write('2')\"\n")
    assert (first / "srv/made").read_text() == "1"


def test_a_run_sees_the_image_and_not_the_host(images, project, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    look = "import os; open('seen', 'w').write(','.join(sorted(os.environ)))"
    root = made(images, project, HEAD + f'ENV A=1\nARG B=2\nRUN python -c "{look}"\n')
    seen = set((root / "srv/seen").read_text().split(","))
    assert {"A", "B", "PATH", "HOME"} <= seen
    assert "SECRET_OF_THE_HOST" not in seen


def test_a_failed_run_keeps_nothing_and_says_what_was_printed(images, project):
    with pytest.raises(DockerfileError) as error:
        made(images, project, HEAD + "RUN python -c \"import sys; print('why'); sys.exit(3)\"\n")
    assert "Dockerfile, line 3: RUN: python -c" in str(error.value)
    assert "ended with code 3\nwhy" in str(error.value)
    assert not [path for path in images.root.iterdir() if path.name != ".lock"]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("FROM debian:12", 1, "cannot be had without a Docker engine"),
        ("FROM python:2.7", 1, "older than Python 3.11"),
        ("FROM python:3.9-slim", 1, "older than Python 3.11"),
        ("FROM --platform=linux/s390x python", 1, "cannot be built here"),
        ("FROM python\nCOPY missing .", 2, "missing is not in the build context"),
        ("FROM python\nCOPY ../x .", 2, "x is not in the build context"),
        ("FROM python\nCOPY --from=other a b", 2, "--from is not understood"),
        ("FROM python\nCOPY one", 2, "expected one or more sources and a target"),
        ("FROM python\nENV A", 2, "expected NAME=value"),
        ("FROM python\nEXPOSE http", 2, "expected a port"),
        ("FROM python\nEXPOSE 70000", 2, "expected a port"),
        ("FROM python\nSTOPSIGNAL term", 2, "expected a signal"),
        ("FROM python\nCMD python app.py", 2, "expected the exec form"),
        ("FROM python\nENTRYPOINT [1]", 2, "expected the exec form"),
        ("FROM python\nWORKDIR 'x", 2, "is not closed"),
        ("FROM python\nRUN apt-get install -y curl", 2, "apt-get is not run"),
        ("FROM python\nRUN pip install x | tee y", 2, "found the shell's |"),
        ("FROM python\nRUN pip install $(cat y)", 2, "found the shell's"),
        ("FROM python\nRUN pip install x && rm -rf /", 2, "rm is not run"),
        ("FROM python\nRUN pip download x", 2, "pip download is not understood"),
        ("FROM python\nRUN --mount=type=bind,target=/x pip install y", 2, "only type=cache is"),
        ("FROM python\nRUN --network=none pip install y", 2, "--network is not understood"),
    ],
)
def test_what_cannot_be_built_is_named_before_anything_is(images, project, text, line, reason):
    with pytest.raises(DockerfileError) as error:
        made(images, project, text)
    assert error.value.line == line
    assert reason in str(error.value)
    assert not images.root.exists()


def test_an_unused_build_argument_and_missing_files(project):
    with pytest.raises(DockerfileError, match="no ARG declares the build argument X"):
        recipe(project, HEAD, X="1")
    with pytest.raises(DockerfileError, match="there is no such Dockerfile"):
        read(project, project / "Other", arguments={})
    with pytest.raises(DockerfileError, match="is not a folder"):
        read(project / "nowhere", project / "Dockerfile", arguments={})


def test_a_target_never_leads_out_of_the_image(images, project, tmp_path):
    (project / "out").symlink_to(tmp_path)
    with pytest.raises(DockerfileError, match="leads out of the image"):
        made(images, project, HEAD + "COPY out /out\nCOPY run.sh /out/run.sh\n")
    assert not (tmp_path / "run.sh").exists()


def test_the_base_may_be_an_argument_and_args_before_from_end_with_it(project):
    text = "ARG BASE=python:3.13\nFROM ${BASE}\nENV A=x${BASE}\n"
    found = recipe(project, text, BASE="python:3.12-slim")
    assert found.base == "python:3.12-slim"
    assert found.configuration["Env"]["A"] == "x"


def test_pip_is_done_by_what_is_at_hand(tmp_path, monkeypatch):
    python = tmp_path / "python"
    arguments = ("install", "--no-cache-dir", "--require-hashes", "-r", "r.txt")
    assert _installer(python, arguments)[-3:] == ["--require-hashes", "-r", "r.txt"]
    monkeypatch.setattr("local.images.run.shutil.which", lambda *_, **__: None)
    assert _installer(python, arguments)[1:4] == ["-m", "pip", f"--python={python}"]


def test_commands_of_a_run():
    assert commands('pip install "a b" && python -m x $Y', {"Y": "1 2"}) == (
        ("pip", "install", "a b"),
        ("python", "-m", "x", "1 2"),
    )
    assert commands('["python", "-c", "a;b && $c"]', {}) == (("python", "-c", "a;b && $c"),)
    with pytest.raises(RunError, match="nothing is not run"):
        commands("&& pip install x", {})


def test_references(images, project):
    digest = build(images, recipe(project, HEAD))
    images.tag("registry/orders", digest)
    assert images.resolve("registry/orders:latest").digest == digest
    with pytest.raises(ImageNotFound, match=r"CannotPullContainerError: .*registry/orders:v9: not found"):
        images.resolve("registry/orders:v9")
    with pytest.raises(ImageNotFound, match="build it first"):
        images.tag("registry/orders:v9", "sha256:" + "0" * 64)


def test_half_an_image_of_a_killed_build_is_made_again(images, project):
    wanted = recipe(project, HEAD + "COPY app app\n")
    (images.folder(wanted.digest) / "rootfs").mkdir(parents=True)
    assert not images.has(wanted.digest)
    build(images, wanted)
    assert json.loads((images.folder(wanted.digest) / "image.json").read_text())["WorkingDir"] == "/srv"
