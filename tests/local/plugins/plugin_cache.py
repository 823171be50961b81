"""Plugins of the embedded AWS as the engine starts them, spoken to over gRPC; and a control plane for them."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import any_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from local.plugins import install
from provider.rpc.values import UNKNOWN, plain, struct

SECONDS = 60
HERE = Path(__file__).parent
VERSIONS = {"aws": "7.51.1", "docker": "5.2.0"}


class PluginError(Exception):
    """What the plugin answered instead; `kept` is the id of a resource that was made all the same."""

    def __init__(self, error: Any) -> None:
        super().__init__(error.details())
        self.text, self.kept = error.details(), ""
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                detail: any_pb2.Any = status_pb2.Status.FromString(value).details[0]
                failed = provider_pb2.ErrorResourceInitFailed()
                detail.Unpack(failed)
                self.kept = failed.id


class CachedPlugin:
    """One plugin process."""

    def __init__(self, stub: Any) -> None:
        self.stub = stub

    def urn(self, kind: str, name: str = "it") -> str:
        return f"urn:pulumi:test::p::pkg:index:Parent${kind}::{name}"

    def ask(self, method: str, request: Any) -> Any:
        try:
            return getattr(self.stub, method)(request, timeout=SECONDS)
        except grpc.RpcError as error:
            raise PluginError(error) from None

    def configure(self, **settings: Any) -> None:
        self.ask("Configure", provider_pb2.ConfigureRequest(args=struct({"region": "eu-west-1", **settings})))

    def config_failures(self, **settings: Any) -> dict[str, str]:
        answer = self.ask("CheckConfig", provider_pb2.CheckRequest(urn="u", news=struct(settings)))
        return {one.property: one.reason for one in answer.failures}

    def check(self, kind: str, inputs: Any, old: Any = None, name: str = "it") -> tuple[dict[str, Any], dict[str, str]]:
        request = provider_pb2.CheckRequest(
            urn=self.urn(kind, name), news=struct(inputs), olds=struct(old), randomSeed=b"seed"
        )
        answer = self.ask("Check", request)
        return plain(answer.inputs), {one.property: one.reason for one in answer.failures}

    def checked(self, kind: str, inputs: Any, old: Any = None) -> dict[str, Any]:
        found, failures = self.check(kind, inputs, old)
        assert not failures
        return found

    def diff(self, kind: str, old: Any, new: Any, state: Any = None, ignore: tuple[str, ...] = ()) -> Any:
        request = provider_pb2.DiffRequest(
            id="it", urn=self.urn(kind), old_inputs=struct(old), news=struct(new), olds=struct(state or old),
            ignoreChanges=ignore,
        )  # fmt: skip
        return self.ask("Diff", request)

    def create(self, kind: str, inputs: Any, *, preview: bool = False) -> tuple[str, dict[str, Any]]:
        request = provider_pb2.CreateRequest(urn=self.urn(kind), properties=struct(inputs), preview=preview)
        answer = self.ask("Create", request)
        return answer.id, plain(answer.properties)

    def make(self, kind: str, inputs: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """Check and create: id, checked inputs, state."""
        checked = self.checked(kind, inputs)
        id_, state = self.create(kind, checked)
        return id_, checked, state

    def update(self, kind: str, id_: str, new: Any, old: Any, state: Any, *, preview: bool = False) -> dict[str, Any]:
        request = provider_pb2.UpdateRequest(
            id=id_, urn=self.urn(kind), news=struct(new), old_inputs=struct(old), olds=struct(state), preview=preview
        )
        return plain(self.ask("Update", request).properties)

    def read(self, kind: str, id_: str, inputs: Any = None, state: Any = None) -> tuple[str, dict[str, Any], Any]:
        request = provider_pb2.ReadRequest(id=id_, urn=self.urn(kind), inputs=struct(inputs), properties=struct(state))
        answer = self.ask("Read", request)
        return answer.id, plain(answer.inputs), plain(answer.properties)

    def delete(self, kind: str, id_: str, inputs: Any, state: Any) -> None:
        request = provider_pb2.DeleteRequest(
            id=id_, urn=self.urn(kind), properties=struct(state), old_inputs=struct(inputs)
        )
        self.ask("Delete", request)

    def invoke(self, token: str, **args: Any) -> dict[str, Any]:
        answer = self.ask("Invoke", provider_pb2.InvokeRequest(tok=token, args=struct(args)))
        return plain(getattr(answer, "return"))


@contextlib.contextmanager
def cached_plugin(name: str, home: Path, **environment: str) -> Iterator[CachedPlugin]:
    """Lay the plugin into a cache and start it from there; nothing of the surroundings' AWS settings reaches it."""
    install(home)
    launcher = home / "plugins" / f"resource-{name}-v{VERSIONS[name]}" / f"pulumi-resource-{name}"
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "BLUEGREEN_"))}
    process = subprocess.Popen(
        [launcher, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True, env={**kept, **environment}, cwd=home
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port.isdigit()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield CachedPlugin(provider_pb2_grpc.ResourceProviderStub(channel))
    finally:
        process.terminate()
        process.wait(SECONDS)
        process.stdout.close()


@contextlib.contextmanager
def control_plane() -> Iterator[dict[str, str]]:
    """The AWS API alone, without tasks, load balancer and databases: the environment that points at it."""
    process = subprocess.Popen(
        [sys.executable, HERE / "moto_process.py"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        assert endpoint.startswith("http://127.0.0.1:")
        yield {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        process.communicate(timeout=SECONDS)


__all__ = ["UNKNOWN", "CachedPlugin", "PluginError", "cached_plugin", "control_plane"]
