"""Settings that are fine alone and wrong together. Keys are as configured, values already of the right type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from infra.setting_keys import FARGATE_MEMORY

REDIRECT_PORT: Final = 80
"""Where plain HTTP is redirected to HTTPS when there is a certificate."""
DOCKERFILE: Final = "app/Dockerfile"
"""How the image is built, inside the context."""


def contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    """One line for every rule that is broken; a rule about a value that is already refused stays silent."""
    for rule in RULES:
        try:
            problem = rule(values)
        except KeyError:
            continue
        if problem:
            yield problem


def _memory_for_cpu(values: Mapping[str, Any]) -> str | None:
    allowed = FARGATE_MEMORY[values["cpu"]]
    if values["memory"] in allowed:
        return None
    listed = ", ".join(map(str, allowed)) if len(allowed) <= 8 else f"{allowed[0]} to {allowed[-1]} in whole steps"
    return f"memory: found {values['memory']} MiB; Fargate sells cpu {values['cpu']} with {listed}"


def _zones_have_letters(values: Mapping[str, Any]) -> str | None:
    if values["zones"] <= len(values["zoneLetters"]):
        return None
    letters = values["zoneLetters"]
    return f"zones: found {values['zones']}; zoneLetters {letters!r} names only {len(letters)}, add letters"


def _ports(values: Mapping[str, Any]) -> str | None:
    port, test_port = values["listenerPort"], values["testListenerPort"]
    if port == test_port:
        return f"testListenerPort: found {test_port}, the same as listenerPort; choose another one"
    if values["certificateArn"] and REDIRECT_PORT in (port, test_port):
        return f"listenerPort: found port {REDIRECT_PORT} with a certificate; there HTTP is redirected, listen on 443"
    return None


def _name_in_certificate(values: Mapping[str, Any]) -> str | None:
    if not values["certificateArn"] or values["hostName"]:
        return None
    return "hostName: not set with a certificate; the load balancer's own name isn't in it, set the name that is"


def _way_out(values: Mapping[str, Any]) -> str | None:
    ways = [name for name in ("natGateway", "vpcEndpoints", "publicTasks") if values[name]]
    if len(ways) == 1:
        return None
    if ways:
        return f"{ways[1]}: found true beside {ways[0]}; tasks use one way to AWS's APIs, set the other to false"
    # Without any, tasks never start, and ECS's message speaks of secrets or registry authorization, not of the network.
    return (
        "natGateway: found false, with vpcEndpoints and publicTasks false too; "
        "tasks could pull no image and read no secret, set one of them to true"
    )


def _smoke_reaches_listener(values: Mapping[str, Any]) -> str | None:
    """The smoke test goes through the test listener from a task; it must have a way there, and be let in."""
    if values["internal"] or values["natGateway"]:
        return None
    if values["vpcEndpoints"]:
        return (
            "vpcEndpoints: found true; the smoke test could reach no public load balancer, set internal or natGateway"
        )
    if values["testAllowedCidrs"] or not values["publicTasks"]:
        return None
    return (
        "testAllowedCidrs: found none with publicTasks; let the smoke test in with its address range, or set internal"
    )


def _waits_nest(values: Mapping[str, Any]) -> str | None:
    # Three looks of the health check: the first may come an interval late, and one may fail.
    needed = values["deregistrationDelaySeconds"] + values["healthGraceSeconds"] + 3 * values["healthIntervalSeconds"]
    if values["timeoutSeconds"] > needed:
        return None
    return (
        f"timeoutSeconds: found {values['timeoutSeconds']}; expected more than the {needed} s that a color may take "
        "(deregistrationDelaySeconds + healthGraceSeconds + 3 x healthIntervalSeconds)"
    )


def _context_exists(values: Mapping[str, Any]) -> str | None:
    context = Path(values["context"])
    if (context / DOCKERFILE).is_file():
        return None
    return f"context: found {values['context']!r}, which holds no {DOCKERFILE}; expected the folder to build from"


RULES: Final = (
    _memory_for_cpu,
    _zones_have_letters,
    _ports,
    _name_in_certificate,
    _way_out,
    _smoke_reaches_listener,
    _waits_nest,
    _context_exists,
)
