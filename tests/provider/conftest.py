import contextlib

import pytest

from tests.provider.fake_stack import Stack
from tests.provider.plugin_process import PluginProcess
from tests.support.fake_aws_fixtures import fake, fake_server

__all__ = ["fake", "fake_server"]  # fixtures


@pytest.fixture
def stack(fake):
    return Stack(fake)


@pytest.fixture
def live(stack):
    """Blue serves v1 with all the weight; green has v2, as many tasks, all healthy."""
    stack.serve("blue", "v1")
    stack.serve("green", "v2")
    stack.settle()
    return stack


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
