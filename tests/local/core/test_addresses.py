"""Addresses and ports that several embedded AWS share."""

import os
import socket

import pytest

from local.addresses import Addresses, NoFreeAddress, Pool, bindable, listening
from local.ports import holder


def test_no_two_holders_get_one_address_and_a_returned_one_rests():
    one, other = Addresses(), Addresses()
    taken = [one.take(Pool.TASK), other.take(Pool.TASK), one.take(Pool.TASK)]
    assert len(set(taken)) == 3
    one.give_back(taken[0])
    one.give_back(taken[0])  # harmless
    assert one.take(Pool.TASK) not in taken
    one.close()
    other.close()


def test_an_address_on_which_something_listens_is_passed_over():
    addresses = Addresses()
    first = addresses.take(Pool.LOAD_BALANCER)
    host, _, last = first.rpartition(".")
    busy = f"{host}.{int(last) + 1}"
    with socket.create_server((busy, 0)):
        assert busy in listening()
        assert addresses.take(Pool.LOAD_BALANCER) not in {first, busy}
    addresses.close()


def test_a_port_that_is_taken_everywhere_is_refused_by_number():
    addresses = Addresses()
    with socket.create_server(("", 0)) as everywhere:
        port = everywhere.getsockname()[1]
        assert not bindable("127.66.0.9", port)
        with pytest.raises(NoFreeAddress, match=f"port {port}"):
            addresses.take(Pool.DATABASE, port)
    addresses.take(Pool.DATABASE, port)
    addresses.close()


def test_a_pool_ends(monkeypatch):
    addresses = Addresses()
    monkeypatch.setattr("local.addresses.listening", lambda: {f"127.65.0.{last}" for last in range(256)})
    with pytest.raises(NoFreeAddress, match=r"none of the 254 addresses of 127\.65\.0\.0/24"):
        addresses.take(Pool.LOAD_BALANCER)


def test_the_holder_of_a_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert holder("127.0.0.1", server.getsockname()[1]).startswith(f"pid {os.getpid()} (")
