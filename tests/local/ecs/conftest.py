import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from local.addresses import Addresses
from local.ecs.scheduler import Scheduler
from local.server import Server
from tests.local.ecs.embedded_ecs import Door, Ecs
from tests.local.ecs.stand_ins import StubImages, StubTargets


@pytest.fixture(scope="session")
def door():
    server = Server(0, DomainDispatcherApplication(create_backend_app))
    server.start()
    yield Door(server.endpoint)
    server.stop()


@pytest.fixture
def aws(tmp_path, door):
    from moto.moto_api._internal.models import moto_api_backend

    moto_api_backend.reset()
    images, targets, addresses = StubImages(tmp_path / "images"), StubTargets(), Addresses()
    scheduler = Scheduler(tmp_path / "ecs", targets, images, addresses)
    scheduler.start()
    try:
        made = Ecs(tmp_path, door, images, targets)
        made.scheduler = scheduler
        yield made
    finally:
        scheduler.stop()
        addresses.close()
        moto_api_backend.reset()
