"""The real plugin process, spoken to over gRPC as the engine does, with an engine of ours that collects log lines."""

import os
import subprocess
import sys
import threading
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from provider.rpc.values import plain, struct

ROOT = Path(__file__).resolve().parents[2]
URN = "urn:pulumi:test::bluegreen::pkg:index:Service$bluegreen:index:{}::it"
READY_SECONDS = 60


class Lines(engine_pb2_grpc.EngineServicer):
    """The part of the engine that takes log lines."""

    def __init__(self):
        self.seen = []
        self.changed = threading.Condition()

    def Log(self, request, _context):  # noqa: N802 - protocol
        with self.changed:
            self.seen.append((request.message, request.ephemeral, request.severity))
            self.changed.notify_all()
        return empty_pb2.Empty()

    def wait_for(self, text, seconds=15.0):
        """Wait until a line contains the text."""
        with self.changed:
            found = self.changed.wait_for(lambda: any(text in line for line, _, _ in self.seen), seconds)
        assert found, f"no line with {text!r}: {self.seen}"

    def lasting(self):
        return [line for line, ephemeral, _ in self.seen if not ephemeral]


class Error(Exception):
    """What the plugin answered instead; `kept` is the state of a resource that failed after it was made."""

    def __init__(self, call):
        super().__init__(call.details())
        self.text, self.kept = call.details(), None
        for key, value in call.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                status = status_pb2.Status.FromString(value)
                detail: any_pb2.Any = status.details[0]
                failed = provider_pb2.ErrorResourceInitFailed()
                detail.Unpack(failed)
                self.kept = plain(failed.properties)


class PluginProcess:
    """Start with `with`; the calls take and give plain values."""

    def __init__(self, endpoint, **settings):
        self.used_up = False
        self.settings = {"region": "eu-west-1", "endpoint": endpoint, **settings}

    def __enter__(self):
        self.lines = Lines()
        self._engine = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        engine_pb2_grpc.add_EngineServicer_to_server(self.lines, self._engine)
        port = self._engine.add_insecure_port("127.0.0.1:0")
        self._engine.start()
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "PULUMI_RUNTIME_VIRTUALENV": str(Path(sys.prefix)),
        }
        self.process = subprocess.Popen(
            [ROOT / "provider" / "pulumi-resource-bluegreen", f"127.0.0.1:{port}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
        )  # fmt: skip
        line = self.process.stdout.readline().strip()
        assert line.isdigit(), f"no port: {line!r} {self.process.stderr.read() if not line else ''}"
        self._channel = grpc.insecure_channel(f"127.0.0.1:{line}")
        self.stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self.stub.Configure(provider_pb2.ConfigureRequest(args=struct(self.settings)), timeout=READY_SECONDS)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.process.stdout.close()
        self.process.stderr.close()
        self._channel.close()
        self._engine.stop(0).wait()

    def check(self, kind, inputs, old=None):
        """Inputs with defaults, and failures by property."""
        answer = self.stub.Check(
            provider_pb2.CheckRequest(urn=URN.format(kind), news=struct(inputs), olds=struct(old)), timeout=60
        )
        return plain(answer.inputs), {one.property: one.reason for one in answer.failures}

    def checked(self, kind, inputs):
        found, failures = self.check(kind, inputs)
        assert not failures
        return found

    def diff(self, kind, old, new, state):
        """The changed keys; replacements are a test's failure."""
        request = provider_pb2.DiffRequest(
            id="it", urn=URN.format(kind), old_inputs=struct(old), news=struct(new), olds=struct(state)
        )
        answer = self._call(self.stub.Diff, request)
        assert not answer.replaces
        return sorted(answer.diffs)

    def create(self, kind, inputs, *, preview=False, timeout=0.0):
        return self.finish(self.begin(kind, inputs, preview=preview, timeout=timeout))

    def begin(self, kind, inputs, *, preview=False, timeout=0.0):
        """Create, without waiting for the answer."""
        request = provider_pb2.CreateRequest(
            urn=URN.format(kind), properties=struct(inputs), preview=preview, timeout=timeout
        )
        return self.stub.Create.future(request, timeout=120)

    def finish(self, call):
        """State of a call that `begin` made."""
        try:
            return plain(call.result().properties)
        except grpc.RpcError as error:
            raise Error(error) from None

    def update(self, kind, inputs, state, old=None, *, preview=False):
        request = provider_pb2.UpdateRequest(
            id="it", urn=URN.format(kind), news=struct(inputs), olds=struct(state), old_inputs=struct(old or inputs),
            preview=preview,
        )  # fmt: skip
        return plain(self._call(self.stub.Update, request).properties)

    def read(self, kind, inputs, state):
        request = provider_pb2.ReadRequest(
            id="it", urn=URN.format(kind), inputs=struct(inputs), properties=struct(state)
        )
        answer = self._call(self.stub.Read, request)
        assert answer.id == "it"
        return plain(answer.properties)

    def fresh(self):
        """Whether no test has canceled or ended it."""
        return self.process.poll() is None and not self.used_up

    def cancel(self):
        self.used_up = True
        self.stub.Cancel(empty_pb2.Empty(), timeout=10)

    def _call(self, method, request):
        try:
            return method(request, timeout=120)
        except grpc.RpcError as error:
            raise Error(error) from None
