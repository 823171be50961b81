import pytest

from tests.local.plugins.plugin_cache import cached_plugin, control_plane


@pytest.fixture(scope="session")
def plugin_home(tmp_path_factory):
    return tmp_path_factory.mktemp("pulumi-home")


@pytest.fixture(scope="module")
def planner(plugin_home):
    """The aws plugin with nothing to call: what needs no AWS works, what needs it says so."""
    with cached_plugin("aws", plugin_home) as plugin:
        plugin.configure()
        yield plugin


@pytest.fixture(scope="session")
def api():
    """The environment that points at an AWS API of the tests' own."""
    with control_plane() as environment:
        yield environment


@pytest.fixture(scope="module")
def worker(plugin_home, api):
    """The aws plugin on that API."""
    with cached_plugin("aws", plugin_home, **api) as plugin:
        plugin.configure(defaultTags='{"tags": {"Project": "orders"}}')
        yield plugin
