import contextlib

import pytest

from tests.provider.fake_aws import FakeAws
from tests.provider.fake_stack import Stack
from tests.provider.plugin_process import PluginProcess


@pytest.fixture(scope="module")
def fake_server():
    with FakeAws() as fake:
        yield fake


@pytest.fixture
def fake(fake_server):
    fake_server.clear()
    return fake_server


@pytest.fixture
def stack(fake):
    return Stack(fake)


@pytest.fixture(scope="module")
def plugins():
    """The plugin process of the last test, as long as it was not canceled."""
    with contextlib.ExitStack() as running:
        yield running, []


@pytest.fixture
def plugin(fake, plugins):
    running, kept = plugins
    if not kept or not kept[-1].fresh():
        running.close()
        kept.append(running.enter_context(PluginProcess(fake.endpoint)))
    kept[-1].lines.seen.clear()
    return kept[-1]
