"""The plugin process: how it starts, ends, and notices that the engine is gone."""

import os
import subprocess
import sys
from pathlib import Path

import grpc
import psutil
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from provider.rpc.values import plain, struct
from tests.provider.plugin_process import ROOT, URN, PluginProcess

NOWHERE = "http://127.0.0.1:9"  # nothing is called here


@pytest.fixture
def lone():
    with PluginProcess(NOWHERE) as process:
        yield process


def test_it_says_who_it_is_and_takes_no_secrets(lone):
    assert lone.stub.GetPluginInfo(empty_pb2.Empty()).version == "0.1.0"
    assert lone.stub.Handshake(provider_pb2.ProviderHandshakeRequest()).accept_secrets is False
    answer = lone.stub.Configure(provider_pb2.ConfigureRequest(args=struct(lone.settings)))
    assert (answer.acceptSecrets, answer.supportsPreview) == (False, True)


def test_it_never_loads_the_sdk_or_boto3_before_it_must():
    code = (
        "import sys; sys.argv = ['x']; sys.path.insert(0, '.');"
        "from provider.rpc.stubs import bare; bare();"
        "import provider.plugin, provider.rpc.serve;"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'boto3', 'botocore', 'semver', 'dill', 'yaml'}),"
        " hasattr(sys.modules['pulumi'], 'Output'))"
    )
    shown = subprocess.run([sys.executable, "-s", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[] False"


def test_cancel_may_come_twice_and_without_any_work(lone):
    lone.cancel()
    lone.cancel()
    assert lone.process.poll() is None


def test_calls_that_it_does_not_have_are_unimplemented(lone):
    with pytest.raises(grpc.RpcError) as refused:
        lone.stub.GetSchema(provider_pb2.GetSchemaRequest())
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    with pytest.raises(grpc.RpcError) as refused:
        lone.stub.Construct(provider_pb2.ConstructRequest())
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_an_unknown_type_is_named(lone):
    with pytest.raises(grpc.RpcError) as refused:
        lone.stub.Check(provider_pb2.CheckRequest(urn=URN.format("Canary"), news=struct({})))
    assert "does not know the type bluegreen:index:Canary; it has bluegreen:index:Release" in refused.value.details()


def test_a_region_is_needed_and_looked_at(lone):
    def refused(**settings):
        answer = lone.stub.CheckConfig(provider_pb2.CheckRequest(news=struct(settings)))
        return {one.property: one.reason for one in answer.failures}

    assert "is missing" in refused()["region"]
    assert "is 'Ireland'" in refused(region="Ireland")["region"]
    assert "is 'localhost:1'" in refused(region="eu-west-1", endpoint="localhost:1")["endpoint"]
    assert refused(region="us-gov-west-1", desiredCount="2") == {}  # the project's settings share our namespace


def test_delete_does_nothing(lone):
    request = provider_pb2.DeleteRequest(id="it", urn=URN.format("TrafficShift"), properties=struct({}))
    lone.stub.Delete(request)


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_with_0(lone, number):
    import signal

    lone.process.send_signal(getattr(signal, number))
    assert lone.process.wait(10) == 0


def test_it_does_not_outlive_its_parent(tmp_path):
    """A parent that is killed with -9 tells nobody."""
    launcher = ROOT / "provider" / "pulumi-resource-bluegreen"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, launcher, tmp_path / "pid"],
        env={**os.environ, "PULUMI_RUNTIME_VIRTUALENV": sys.prefix},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert parent.stdout.readline().strip().isdigit()
        plugin = psutil.Process(int(Path(tmp_path / "pid").read_text()))
    finally:
        parent.kill()
        parent.wait(10)
        parent.stdout.close()
    _, alive = psutil.wait_procs([plugin], 10)
    assert not alive


def test_an_engine_that_died_while_the_plugin_started_is_noticed():
    """The launcher has said who the engine was; whoever is the parent by now is not asked."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(10)
    command = [sys.executable, "-s", ROOT / "provider" / "main.py", f"--engine-pid={gone.pid}", "127.0.0.1:1"]
    plugin = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert plugin.wait(20) == 0
    finally:
        plugin.kill()
        plugin.wait(10)
        plugin.stdout.close()


def test_the_launcher_says_who_the_engine_is(tmp_path):
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    launcher = ROOT / "provider" / "pulumi-resource-bluegreen"
    environment = {**os.environ, "PULUMI_RUNTIME_VIRTUALENV": str(tmp_path)}
    shown = subprocess.run([launcher, "127.0.0.1:1"], env=environment, capture_output=True, text=True, check=True)
    assert f"--engine-pid={os.getpid()} 127.0.0.1:1" in shown.stdout


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.argv[1], "127.0.0.1:1"], stdout=subprocess.PIPE, text=True)
open(sys.argv[2], "w").write(str(child.pid))
print(child.stdout.readline().strip(), flush=True)
time.sleep(60)
"""


def test_values_survive_the_wire():
    from provider.rpc.values import UNKNOWN, Secret, reveal, unknown

    value = {"n": 2, "f": 0.5, "l": [1, {"x": None, "y": True}], "s": Secret("hush"), "u": UNKNOWN}
    found = plain(struct(value))
    assert found == {"n": 2, "f": 0.5, "l": [1, {"y": True}], "s": Secret("hush"), "u": UNKNOWN}
    assert isinstance(found["n"], int)
    assert (repr(found["s"]), reveal(found)["s"]) == ("[secret]", "hush")
    assert unknown(found)
    assert not unknown({"a": [1, "b"]})
