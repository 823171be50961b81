"""Make an image out of a recipe: folders, hard links between them, and the commands of RUN.

Files after a RUN are kept under `layers/<key>/`, so versions of a program that differ in their own files only share
what was installed. A file is never written in place: it may be linked from another image.
"""

import contextlib
import fcntl
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from local.images.dockerfile import DockerfileError
from local.images.recipe import Recipe, Step
from local.images.run import RunError, pip_arguments, run
from local.images.store import BIN, CONFIG, ROOTFS, Images


def build(images: Images, recipe: Recipe, report: Callable[[str], None] = lambda _: None) -> str:
    """Put the image of a recipe into the store, if it is not there yet.

    Args:
        images: the store.
        recipe: what `recipe.read` gave.
        report: gets one line for each RUN that is really run.

    Returns:
        The digest.

    Raises:
        DockerfileError: a RUN failed, or a COPY leads out of the image; nothing of the image is kept then.
    """
    digest = recipe.digest
    images.root.mkdir(parents=True, exist_ok=True)
    with _alone(images.root):
        if images.has(digest):
            return digest
        with tempfile.TemporaryDirectory(dir=images.root, prefix=".build-") as folder:
            draft = Path(folder)
            rootfs = draft / ROOTFS
            for step in _start(images.root / "layers", recipe, rootfs):
                _apply(step, rootfs, recipe.file, images.root / "layers", report)
            (draft / CONFIG).write_text(json.dumps(recipe.configuration, indent=2) + "\n")
            target = images.folder(digest)
            shutil.rmtree(target, ignore_errors=True)  # half an image of an earlier, killed attempt
            target.mkdir(mode=0o755)
            (draft / ROOTFS).rename(target / ROOTFS)
            (draft / CONFIG).rename(target / CONFIG)
    return digest


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One build at a time in one store, over processes; the lock ends with its process."""
    with (root / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start(layers: Path, recipe: Recipe, rootfs: Path) -> tuple[Step, ...]:
    """Lay the longest known part of the recipe; the steps that are left."""
    for done in range(len(recipe.steps), 0, -1):
        kept = layers / recipe.steps[done - 1].key
        if recipe.steps[done - 1].run and kept.is_dir():
            link_tree(kept, rootfs)
            return recipe.steps[done:]
    base(rootfs)
    return recipe.steps


def base(rootfs: Path) -> None:
    """An isolated environment of the running interpreter, as a `python` image has it under /usr/local.

    It is a virtual environment by its `pyvenv.cfg`, so nothing installed beside the running interpreter is seen; and
    `relocatable`, so that the scripts of installed packages find their interpreter wherever the image lies.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    # `_base_executable` is the interpreter that a virtual environment was made from.
    real = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    folder = rootfs / BIN
    folder.mkdir(parents=True)
    for name in ("python", "python3", f"python{version}"):
        (folder / name).symlink_to(real)
    (folder.parent / "lib" / f"python{version}" / "site-packages").mkdir(parents=True)
    lines = [f"home = {real.parent}", "include-system-site-packages = false", "relocatable = true"]
    (folder.parent / "pyvenv.cfg").write_text("\n".join(lines) + "\n")
    for name in ("tmp", "root"):
        (rootfs / name).mkdir()


def _apply(step: Step, rootfs: Path, file: str, layers: Path, report: Callable[[str], None]) -> None:
    if step.folder:
        (rootfs / step.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
    try:
        for one in step.files:
            _put(one.source, _target(rootfs, one.target), one.mode)
        if step.run:
            report(f"{step.instruction.keyword} {step.instruction.arguments}")
            _run(step, rootfs)
    except (RunError, OSError) as error:
        raise DockerfileError(file, step.instruction.line, step.instruction.keyword, str(error)) from error
    if step.run:
        _keep(rootfs, layers / step.key)


def _run(step: Step, rootfs: Path) -> None:
    if any(pip_arguments(command) is None for command in step.run):
        _unlink_shared(rootfs)
    for command in step.run:
        run(command, rootfs=rootfs, workdir=step.folder, environment=step.environment)


def _unlink_shared(rootfs: Path) -> None:
    """Give the draft its own copy of every file: a program may write into one that a kept layer links to."""
    for folder, _, names in os.walk(rootfs):
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink() and path.stat().st_nlink > 1:
                _put(path, path, path.stat().st_mode & 0o7777)


def _target(rootfs: Path, path: str) -> Path:
    target = rootfs / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(rootfs.resolve()):
        raise OSError(f"the target {path} leads out of the image through a symbolic link")
    return target


def _put(source: Path, target: Path, mode: int) -> None:
    """Copy a file or symbolic link to a new file that takes the target's name."""
    if target.is_dir() and not target.is_symlink():
        raise OSError(f"the target {target.name} is a folder of the image, the source {source.name} is a file")
    draft = target.with_name(f".{target.name}.draft")
    if source.is_symlink():
        draft.symlink_to(source.readlink())
    else:
        shutil.copyfile(source, draft)
        draft.chmod(mode)
    draft.replace(target)


def _keep(rootfs: Path, layer: Path) -> None:
    layer.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=layer.parent, prefix=".draft-") as folder:
        link_tree(rootfs, Path(folder, "files"))
        if not layer.exists():
            Path(folder, "files").rename(layer)


def link_tree(source: Path, target: Path) -> None:
    """The same tree again, each file a hard link (a copy where the file system has no links)."""
    target.mkdir()
    with os.scandir(source) as entries:
        for entry in entries:
            there = target / entry.name
            if entry.is_symlink():
                there.symlink_to(Path(entry.path).readlink())
            elif entry.is_dir():
                link_tree(Path(entry.path), there)
            else:
                _link(entry.path, there)
    shutil.copystat(source, target)


def _link(source: str, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
