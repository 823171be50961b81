"""Fixtures of tests that talk to the provider's fake AWS; a conftest imports them."""

import pytest

from tests.provider.fake_aws import FakeAws


@pytest.fixture(scope="module")
def fake_server():
    """One server for all tests of a module."""
    with FakeAws() as fake:
        yield fake


@pytest.fixture
def fake(fake_server):
    """The server without what the last test directed."""
    fake_server.clear()
    yield fake_server
    fake_server.clear()
