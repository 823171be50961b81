"""The stand-in language host, called as the engine calls it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from tools import standin
from tools.project import VENV

pytestmark = pytest.mark.slow


class Host:
    """A running host of its own."""

    def __init__(self, folder: Path) -> None:
        standin.install(folder)
        self.process = subprocess.Popen(
            [str(folder / standin.LAUNCHER), "--logflow", "127.0.0.1:1"],
            cwd=folder,
            env={**os.environ, "VIRTUAL_ENV": str(VENV)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.channel = grpc.insecure_channel(f"127.0.0.1:{int(self.process.stdout.readline())}")
        self.stub = language_pb2_grpc.LanguageRuntimeStub(self.channel)

    def close(self) -> None:
        self.channel.close()
        with self.process:
            self.process.send_signal(signal.SIGTERM)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    (tmp_path / "cli").mkdir()
    found = Host(tmp_path / "cli")
    yield found
    found.close()


def plugin(folder: Path, source: str) -> Path:
    folder.mkdir()
    (folder / "__main__.py").write_text(source)
    return folder


def request(folder: Path, *, options: dict[str, str] | None = None, kind: str = "resource", **more):
    struct = struct_pb2.Struct()
    struct.update(options or {})
    info = language_pb2.ProgramInfo(
        root_directory=str(folder), program_directory=str(folder), entry_point=".", options=struct
    )
    return language_pb2.RunPluginRequest(pwd=str(folder.parent), args=["127.0.0.1:1"], kind=kind, info=info, **more)


def gather(answers) -> tuple[str, str, int]:
    """Both streams and the exit code of a plugin."""
    out, err, code = b"", b"", -1
    for answer in answers:
        kind = answer.WhichOneof("output")
        out += answer.stdout if kind == "stdout" else b""
        err += answer.stderr if kind == "stderr" else b""
        code = answer.exitcode if kind == "exitcode" else code
    return out.decode(), err.decode(), code


def test_it_answers_with_the_version_of_the_sdk(host):
    assert host.stub.GetPluginInfo(language_pb2.google_dot_protobuf_dot_empty__pb2.Empty()).version.startswith("3.")


def test_it_asks_for_no_packages_and_names_the_installed_ones(host):
    assert list(host.stub.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest()).packages) == []
    found = host.stub.GetProgramDependencies(language_pb2.GetProgramDependenciesRequest()).dependencies
    assert "pulumi" in {dependency.name for dependency in found}


def test_it_runs_a_python_plugin(host, tmp_path):
    source = "import os, sys; print(os.getcwd(), *sys.argv[1:]); print(os.environ['A'], file=sys.stderr); sys.exit(3)"
    folder = plugin(tmp_path / "plugin", source)
    assert gather(host.stub.RunPlugin(request(folder, env=["A=b=c"]))) == (f"{tmp_path} 127.0.0.1:1\n", "b=c\n", 3)


def test_a_plugins_own_environment_is_used(host, tmp_path):
    folder = plugin(tmp_path / "plugin", "import sys; print(sys.prefix)")
    assert gather(host.stub.RunPlugin(request(folder, options={"virtualenv": str(VENV)})))[0] == f"{VENV}\n"


def test_a_plugin_whose_environment_is_missing_is_named(host, tmp_path):
    folder = plugin(tmp_path / "plugin", "")
    with pytest.raises(grpc.RpcError) as caught:
        gather(host.stub.RunPlugin(request(folder, options={"virtualenv": "absent"})))
    assert caught.value.details() == (
        f"{folder}: the virtual environment 'absent' of its options has no bin/python; create it"
    )


def gone(pid: int) -> bool:
    """Wait for a process that is no child of ours to end; False after half a minute."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], 30)[0])
    finally:
        os.close(watched)


LIVES_ON = "import os, signal; print(os.getpid(), flush=True); signal.pause()"


def test_closing_the_stream_ends_the_plugin(host, tmp_path):
    answers = host.stub.RunPlugin(request(plugin(tmp_path / "plugin", LIVES_ON)))
    pid = int(next(answers).stdout)
    answers.cancel()
    assert gone(pid)


def test_no_plugin_outlives_the_host(host, tmp_path):
    pid = int(next(host.stub.RunPlugin(request(plugin(tmp_path / "plugin", LIVES_ON)))).stdout)
    host.process.send_signal(signal.SIGTERM)
    assert gone(pid)
    assert host.process.wait() == 0


@pytest.mark.parametrize("moment", ["p.stdout.readline()", ""], ids=["serving", "loading"])
def test_the_host_ends_when_its_engine_is_killed(tmp_path, moment):
    """The engine, played by an interpreter that starts the host and is then killed, can say nothing any more."""
    standin.install(tmp_path)
    engine = (
        "import subprocess, sys, signal\n"
        f"p = subprocess.Popen([{str(tmp_path / standin.LAUNCHER)!r}, '127.0.0.1:1'], stdout=subprocess.PIPE)\n"
        f"{moment}\nprint(p.pid, flush=True)\nsignal.pause()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", engine],
        cwd=tmp_path,
        env={**os.environ, "VIRTUAL_ENV": str(VENV)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
    assert gone(pid)
