import pytest

from tests.engine.engine_run import Engine
from tests.provider.fake_stack import Stack
from tests.support.fake_aws_fixtures import fake, fake_server

__all__ = ["fake", "fake_server"]  # fixtures


@pytest.fixture
def stack(fake):
    """v1 is live on blue; green's service holds v2's task definition and has no task yet."""
    made = Stack(fake)
    made.serve("blue", "v1")
    made.serve("green", "v2", 0)
    return made


@pytest.fixture
def engine(stack, tmp_path):
    return Engine(tmp_path, stack)
