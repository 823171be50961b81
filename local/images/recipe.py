"""From a Dockerfile and its context to what has to be done, and to the digest of the image, without building.

Every step has a key: the hash of everything that went in up to it. The digest is the hash of the last key and the
configuration. So a preview knows whether an image would change, and a build knows what it may reuse.
"""

import hashlib
import json
import platform
import posixpath
import re
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from local.images.context import Context, expression
from local.images.dockerfile import DockerfileError, Instruction, exec_form, parse
from local.images.run import RunError, commands
from local.images.words import WordsError, expand, words

_BASE = re.compile(r"(?:docker\.io/)?(?:library/)?python(?::(?P<tag>[\w.-]+))?(?:@sha256:[0-9a-f]{64})?$")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*$")
_KEY = re.compile(r"[A-Za-z0-9_.-]+$")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, kw_only=True)
class File:
    """One file or symbolic link that COPY puts into the image: where from, where to, which permission bits."""

    source: Path
    target: str
    mode: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one instruction does to the files; `key` names the image's files after it."""

    instruction: Instruction
    key: str
    folder: str = ""
    files: tuple[File, ...] = ()
    run: tuple[tuple[str, ...], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything a build needs. `configuration` has the keys of the OCI image specification's `config`."""

    file: str
    base: str
    steps: tuple[Step, ...]
    configuration: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """`sha256:` and the hash of the files and the configuration."""
        last = self.steps[-1].key if self.steps else base_key()
        return "sha256:" + _hash(last, json.dumps(self.configuration, sort_keys=True))


def base_key() -> str:
    """The key of the base every image stands on: the running interpreter on this machine."""
    return _hash("python", sys.version, sys.base_prefix, platform.machine())


def read(context: Path, dockerfile: Path, *, arguments: Mapping[str, str], platform_: str = "") -> Recipe:
    """Interpret a Dockerfile.

    Args:
        context: the folder that COPY copies from.
        dockerfile: the file.
        arguments: values for ARG (Docker's `--build-arg`); one that no ARG declares is an error.
        platform_: `linux/amd64` or `linux/arm64`, "" for this machine's.

    Raises:
        DockerfileError: names file, line and instruction; also when context or Dockerfile are not there, and for
            another platform than this machine's.
    """
    name = str(dockerfile)
    if not context.is_dir():
        raise DockerfileError(name, 0, "", f"the build context {context} is not a folder")
    if not dockerfile.is_file():
        raise DockerfileError(name, 0, "", "there is no such Dockerfile")
    _refuse_platform(name, 0, "", platform_)
    return _Reading(name, Context(context, dockerfile), arguments).read(parse(dockerfile.read_text(), name))


def _refuse_platform(name: str, line: int, instruction: str, wanted: str) -> None:
    here = "linux/" + _MACHINES.get(platform.machine(), platform.machine())
    if wanted and wanted not in (here, f"{here}/v8"):
        reason = f"platform {wanted} cannot be built here: without a container an image runs on {here} only"
        raise DockerfileError(name, line, instruction, reason)


def _hash(*parts: str) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(f"{len(part)}:{part}".encode())
    return whole.hexdigest()


class _Reading:
    """The state between two instructions."""

    def __init__(self, file: str, context: Context, arguments: Mapping[str, str]) -> None:
        self.file, self.context, self.given = file, context, arguments
        self.arguments: dict[str, str] = {}
        self.environment = {"LANG": "C.UTF-8"}
        self.workdir, self.base = "/", ""
        self.user, self.stop_signal = "", "SIGTERM"
        self.entrypoint: list[str] = []
        self.command: list[str] = ["python3"]
        self.labels: dict[str, str] = {}
        self.ports: list[str] = []
        self.steps: list[Step] = []

    def read(self, instructions: Sequence[Instruction]) -> Recipe:
        declared = {words(one.arguments, {})[0].partition("=")[0] for one in instructions if one.keyword == "ARG"}
        if unknown := sorted(set(self.given) - declared):
            raise DockerfileError(self.file, 0, "", f"no ARG declares the build argument {', '.join(unknown)}")
        for one in instructions:
            action: Callable[[Instruction], None] = getattr(self, f"_{one.keyword.lower()}")
            try:
                action(one)
            except (WordsError, RunError) as error:
                self._fail(one, str(error))
        configuration = {
            "Env": self.environment, "WorkingDir": self.workdir, "User": self.user, "StopSignal": self.stop_signal,
            "Entrypoint": self.entrypoint, "Cmd": self.command, "Labels": self.labels, "ExposedPorts": self.ports,
        }  # fmt: skip
        return Recipe(file=self.file, base=self.base, steps=tuple(self.steps), configuration=configuration)

    @property
    def variables(self) -> dict[str, str]:
        return {**self.arguments, **self.environment}

    def _fail(self, one: Instruction, reason: str) -> NoReturn:
        raise DockerfileError(self.file, one.line, one.keyword, reason)

    def _flags(self, one: Instruction, *known: str) -> dict[str, str]:
        for name, _ in one.flags:
            if name not in known:
                self._fail(one, f"the flag --{name} is not understood; known are {', '.join(known) or 'none'}")
        return dict(one.flags)

    def _step(self, one: Instruction, *parts: str, **what: Any) -> None:
        before = self.steps[-1].key if self.steps else base_key()
        self.steps.append(Step(instruction=one, key=_hash(before, one.keyword, *parts), **what))

    # One method an instruction ------------------------------------------------------------------------------------

    def _from(self, one: Instruction) -> None:
        flags = self._flags(one, "platform")
        _refuse_platform(self.file, one.line, one.keyword, expand(flags.get("platform", ""), self.arguments))
        found = words(one.arguments, self.arguments)
        if len(found) not in (1, 3) or (len(found) == 3 and found[1].upper() != "AS"):
            self._fail(one, f"found {one.arguments}; expected an image, or an image AS a name")
        match = _BASE.match(found[0])
        if match is None:
            self._fail(one, f"{found[0]} cannot be had without a Docker engine; only python images can")
        version = re.match(r"(\d+)(?:\.(\d+))?(?:[.-]|$)", match["tag"] or "")
        if version and (int(version[1]), int(version[2] or 11)) < (3, 11):
            self._fail(one, f"{found[0]} is older than Python 3.11, the oldest that the embedded builder stands for")
        self.base = found[0]
        self.arguments = {}  # an ARG before FROM is not seen after it, unless declared again

    def _arg(self, one: Instruction) -> None:
        self._flags(one)
        for word in words(one.arguments, self.variables):
            name, given, default = word.partition("=")
            if not _NAME.match(name):
                self._fail(one, f"found {word}; expected NAME or NAME=default")
            if name in self.given:
                self.arguments[name] = self.given[name]
            elif given:
                self.arguments[name] = default

    def _env(self, one: Instruction) -> None:
        self._flags(one)
        self.environment.update(self._pairs(one, _NAME))

    def _label(self, one: Instruction) -> None:
        self._flags(one)
        self.labels.update(self._pairs(one, _KEY))

    def _pairs(self, one: Instruction, name: re.Pattern[str]) -> dict[str, str]:
        pairs = [word.partition("=") for word in words(one.arguments, self.variables)]
        for key, sign, _ in pairs:
            if not sign or not name.match(key):
                self._fail(one, f"found {key}; expected {'NAME=value' if name is _NAME else 'key=value'}")
        return {key: value for key, _, value in pairs}

    def _workdir(self, one: Instruction) -> None:
        self._flags(one)
        self.workdir = self._absolute(expand(one.arguments, self.variables))
        self._step(one, self.workdir, folder=self.workdir)

    def _user(self, one: Instruction) -> None:
        self._flags(one)
        self.user = expand(one.arguments, self.variables)

    def _expose(self, one: Instruction) -> None:
        self._flags(one)
        for port in words(one.arguments, self.variables):
            if not re.fullmatch(r"\d{1,5}(/(tcp|udp))?", port) or not 0 < int(port.split("/")[0]) < 65536:
                self._fail(one, f"found {port}; expected a port, or a port/tcp or port/udp")
            self.ports.append(port if "/" in port else f"{port}/tcp")

    def _stopsignal(self, one: Instruction) -> None:
        self._flags(one)
        self.stop_signal = expand(one.arguments, self.variables)
        if not re.fullmatch(r"SIG[A-Z0-9+]+|\d{1,2}", self.stop_signal):
            self._fail(one, f"found {self.stop_signal}; expected a signal such as SIGTERM")

    def _entrypoint(self, one: Instruction) -> None:
        self.entrypoint = self._words(one)
        self.command = []  # the base image's command was for its own entry point

    def _cmd(self, one: Instruction) -> None:
        self.command = self._words(one)

    def _words(self, one: Instruction) -> list[str]:
        self._flags(one)
        found = exec_form(one.arguments)
        if found is None:
            self._fail(one, f'found {one.arguments}; expected the exec form, ["program", "argument"]')
        return found

    def _run(self, one: Instruction) -> None:
        flags = self._flags(one, "mount")
        if any(name == "mount" and not value.startswith("type=cache,") for name, value in flags.items()):
            self._fail(one, f"--mount={flags['mount']} is not understood; only type=cache is (the host has its own)")
        found = commands(one.arguments, self.variables)
        environment = self.variables
        parts = (self.workdir, json.dumps(found), json.dumps(environment, sort_keys=True))
        self._step(one, *parts, run=found, folder=self.workdir, environment=environment)

    def _copy(self, one: Instruction) -> None:
        # Whoever runs the embedded AWS owns every file of an image, so --chown has nothing to change.
        flags = self._flags(one, "chown", "chmod", "link")
        mode = flags.get("chmod", "")
        if mode and not re.fullmatch(r"[0-7]{3,4}", mode):
            self._fail(one, f"found --chmod={mode}; expected octal digits such as 755")
        given = exec_form(one.arguments) or words(one.arguments, self.variables)
        if len(given) < 2:
            self._fail(one, f"found {one.arguments}; expected one or more sources and a target")
        files = self._sources(one, given[:-1], given[-1], int(mode, 8) if mode else None)
        described = [f"{file.target} {file.mode:o} {_content(file.source)}" for file in files]
        self._step(one, *sorted(described), files=tuple(files))

    def _sources(self, one: Instruction, sources: Sequence[str], target: str, mode: int | None) -> list[File]:
        matched = [(source, self._matches(one, source)) for source in sources]
        into_folder = target.endswith("/") or target in (".", "..") or sum(len(found) for _, found in matched) > 1
        top, files = self._absolute(target), []
        for _, paths in matched:
            for path in paths:
                below = [file for file in self.context.files if file.startswith(path + "/") or not path]
                pairs = [(file, posixpath.join(top, file[len(path) :].lstrip("/"))) for file in below]
                if path in self.context.files:
                    pairs = [(path, posixpath.join(top, posixpath.basename(path)) if into_folder else top)]
                files += [self._file(source, where, mode) for source, where in pairs]
        return files

    def _file(self, source: str, target: str, mode: int | None) -> File:
        path = self.context.root / source
        bits = 0o755 if path.lstat().st_mode & stat.S_IXUSR else 0o644
        return File(source=path, target=target, mode=bits if mode is None else mode)

    def _matches(self, one: Instruction, source: str) -> list[str]:
        """Files and folders of the context that a source names; "" is the context itself."""
        wanted = posixpath.normpath("/" + source).strip("/")
        names = {""} | {"/".join(f.split("/")[:n]) for f in self.context.files for n in range(1, f.count("/") + 2)}
        found = sorted(names & {wanted} or (n for n in names if n and re.fullmatch(expression(wanted), n)))
        if not found:
            self._fail(
                one, f"{source} is not in the build context {self.context.root} (or .dockerignore leaves it out)"
            )
        return found

    def _absolute(self, path: str) -> str:
        return posixpath.normpath(posixpath.join("/", self.workdir, path))


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return hashlib.sha256(path.read_bytes()).hexdigest()
