"""The Envoy process: it comes back, keeps its rules, is private, and names whoever has its port."""

from __future__ import annotations

import datetime
import http.client
import os
import signal
import socket
import ssl
import stat
import threading

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.processes import Process
from tests.local.elb.elb_stage import NOT_FOUND, Stage, forward, request
from tests.support.until import until

pytestmark = pytest.mark.slow


def answer(address: str, port: int = 8080) -> str | None:
    """What is served, None when nobody listens."""
    try:
        return request(address, port=port).body
    except (OSError, http.client.HTTPException):
        return None


def kill(stage: Stage) -> int:
    """Kill Envoy and wait until it is gone; its pid."""
    pid = stage.balancing.envoy_pid
    assert pid is not None
    process = Process.of(pid)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not process.alive)
    return pid


def test_envoy_comes_back_with_the_same_rules_and_follows_new_ones(stage: Stage) -> None:
    site = stage.site("one")
    group = stage.group(site)
    balancer, address = stage.balancer()
    listener = stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    assert answer(address) == "one"
    old = kill(stage)
    until(lambda: answer(address) == "one")
    assert stage.balancing.envoy_pid != old
    stage.elb.modify_listener(ListenerArn=listener, DefaultActions=[NOT_FOUND])
    assert answer(address) == "nothing here"
    assert stage.elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0]["State"] == {
        "Code": "active"
    }


def test_a_port_that_is_taken_while_envoy_is_down_is_told_and_comes_back(stage: Stage) -> None:
    balancer, address = stage.balancer()
    stage.listener(balancer, NOT_FOUND)
    other, other_address = stage.balancer()
    stage.listener(other, NOT_FOUND)

    def state() -> dict[str, str]:
        found: dict[str, str] = stage.elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0][
            "State"
        ]
        return found

    assert state() == {"Code": "active"}
    taken = threading.Event()

    def grab() -> socket.socket:
        """As fast as it takes to be there before the next Envoy."""
        while True:
            try:
                return socket.create_server((address, 8080))
            except OSError:
                assert not taken.is_set()

    kill(stage)
    with grab():
        taken.set()
        until(lambda: state()["Code"] == "active_impaired")
        assert "8080" in state()["Reason"]
        until(lambda: answer(other_address) == "nothing here")
    until(lambda: answer(address) == "nothing here")
    until(lambda: state() == {"Code": "active"})


def test_the_admin_interface_is_private(stage: Stage) -> None:
    balancer, _ = stage.balancer()
    stage.listener(balancer, NOT_FOUND)
    admin = stage.balancing._envoy.admin
    mode = admin.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert stage.balancing._envoy.get("/ready").startswith("LIVE")


def test_load_balancers_have_their_own_addresses_and_give_them_back(stage: Stage) -> None:
    one, two = stage.balancer(), stage.balancer()
    assert one[1] != two[1]
    for number, (arn, _) in enumerate((one, two)):
        config = {"StatusCode": "200", "MessageBody": str(number)}
        stage.listener(arn, {"Type": "fixed-response", "FixedResponseConfig": config})
    assert [answer(address) for _, address in (one, two)] == ["0", "1"]
    assert one[1] in stage.balancing._taken
    stage.delete_balancer(one[0])
    until(lambda: one[1] not in stage.balancing._taken)
    until(lambda: answer(one[1]) is None)
    assert answer(two[1]) == "1"


def test_the_port_of_a_listener_can_change(stage: Stage) -> None:
    balancer, address = stage.balancer()
    listener = stage.listener(balancer, NOT_FOUND)
    stage.elb.modify_listener(ListenerArn=listener, Port=8085)
    assert answer(address, 8085) == "nothing here"
    until(lambda: answer(address) is None)


def test_clients_stay_with_their_target_when_the_group_is_sticky(stage: Stage) -> None:
    one, two = stage.site("one"), stage.site("two")
    group = stage.group(one, two)
    attributes = [
        {"Key": "stickiness.enabled", "Value": "true"},
        {"Key": "stickiness.type", "Value": "lb_cookie"},
        {"Key": "stickiness.lb_cookie.duration_seconds", "Value": "60"},
    ]
    stage.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=attributes)
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    first = until(lambda: (found := request(address)).headers["set-cookie"] and found)
    cookie = first.headers["set-cookie"].split(";")[0]
    assert cookie.startswith("AWSALB=")
    assert {request(address, cookie=cookie).body for _ in range(10)} == {first.body}


def certificate() -> tuple[bytes, bytes]:
    """A self-signed certificate and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    now = datetime.datetime.now(datetime.UTC)
    valid = (now - datetime.timedelta(days=1), now + datetime.timedelta(days=1))
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), *valid)
    built = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example")]), critical=False).sign(
        key, hashes.SHA256()
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return built.public_bytes(serialization.Encoding.PEM), private


def test_https_with_a_certificate_of_acm(stage: Stage) -> None:
    site = stage.site("one")
    group = stage.group(site)
    chain, key = certificate()
    acm = boto3.client(
        "acm",
        "eu-west-1",
        endpoint_url=stage.elb.meta.endpoint_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    arn = acm.import_certificate(Certificate=chain, PrivateKey=key)["CertificateArn"]
    balancer, address = stage.balancer()
    stage.elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTPS",
        Port=8443,
        Certificates=[{"CertificateArn": arn}],
        DefaultActions=[forward({group: 1})],
    )
    stage.healthy(group)
    context = ssl.create_default_context(cadata=chain.decode())
    with (
        socket.create_connection((address, 8443), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="shop.example") as secure,
    ):
        secure.sendall(b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
        head = secure.recv(4096)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert site.last["x-forwarded-proto"] == "https"
