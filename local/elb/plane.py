"""Brings a snapshot into the running Envoy, in an order in which no request can be lost, and confirms it.

Clusters before the routes that name them, routes before the clusters they no longer name; and after a change of routes
the listener itself is asked, through its only worker, which configuration it has. So whoever was told that a weight is
0 can rely on it: a request sent after that is never answered by that color.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import logging
import re
import secrets
import ssl
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local.addresses import bindable
from local.contracts import TargetHealth
from local.elb import config
from local.elb.envoy import Envoy
from local.elb.model import Balancer, Group, Listener, Snapshot
from local.elb.routes import PROBE_HEADER, TYPE, Cluster, NotModeledError, route_configuration
from local.ports import holder

log = logging.getLogger(__name__)

Json = dict[str, Any]
Members = Callable[[str], Mapping[tuple[str, int], TargetHealth]]

CONFIRM_SECONDS = 2.0  # a few milliseconds, but for a machine that is busy with something else
LISTEN_SECONDS = 5.0  # for a listener that is new
PROBE_SECONDS = 0.5
VERSION_DIGITS = 16
UNKNOWN = Cluster("unknown")
ROUTE_TYPE = f"{TYPE}config.route.v3.RouteConfiguration"


class Plane:
    """The files of one Envoy. One thread at a time applies; an older snapshot never replaces a newer one."""

    def __init__(self, envoy: Envoy, members: Members) -> None:
        self.problems: dict[str, str] = {}  # listener ARN: why it does not listen
        self._envoy = envoy
        self._members = members
        self._token = secrets.token_hex(16)
        self._lock = threading.Lock()
        self.applied = Snapshot()
        self._generation = 0
        self._clusters: dict[str, Json] = {}
        self._listening: set[str] = set()
        self._folder: Path = envoy.folder

    def apply(self, snapshot: Snapshot, generation: int) -> None:
        """Write what has changed and wait until Envoy has it, for a bounded time; then it is logged."""
        with self._lock:
            if generation < self._generation:
                return
            self._generation, self.applied = generation, snapshot
            self._folder.mkdir(parents=True, exist_ok=True)
            wanted = self._wanted_clusters(snapshot)
            self._write_endpoints(snapshot)
            self._write_clusters({**self._clusters, **wanted})
            changed = self._write_routes(snapshot)
            self._write_listeners(snapshot)
            self._confirm(changed)
            self._write_clusters(wanted)
            self._forget(snapshot)

    @property
    def complete(self) -> bool:
        """Whether every listener listens, as far as is known."""
        wanted = {entry.name for balancer in self.applied.balancers for entry in balancer.listeners}
        return not self.problems and (wanted <= self._listening or not self._envoy.running)

    def restarted(self) -> None:
        """Envoy was started anew: it reads all files again and has yet to bind its ports."""
        with self._lock:
            self._listening.clear()

    def endpoints(self, snapshot: Snapshot) -> None:
        """Tell Envoy the targets' health; cheap, and waits for nothing."""
        with self._lock:
            self._write_endpoints(snapshot)

    def _groups(self, snapshot: Snapshot) -> list[tuple[Group, str]]:
        users = snapshot.users()
        return [(snapshot.groups[arn], user) for arn, user in sorted(users.items()) if arn in snapshot.groups]

    def _wanted_clusters(self, snapshot: Snapshot) -> dict[str, Json]:
        idle = {balancer.arn: balancer.idle_seconds for balancer in snapshot.balancers}
        return {group.name: config.cluster(group, self._folder, idle[user]) for group, user in self._groups(snapshot)}

    def _write_endpoints(self, snapshot: Snapshot) -> None:
        for group, _ in self._groups(snapshot):
            self._envoy.write(f"eds-{group.name}", [config.endpoints(group, self._members(group.arn))])

    def _write_clusters(self, clusters: dict[str, Json]) -> None:
        version = self._envoy.write("cds", list(clusters.values()))
        self._clusters = clusters
        if version and self._envoy.running and not self._envoy.wait(lambda: self._has(version), CONFIRM_SECONDS):
            log.warning("Envoy has not taken over the target groups in %g s: %s", CONFIRM_SECONDS, self._reason())

    def _has(self, version: str) -> bool:
        stats = self._envoy.get("/stats?filter=cluster_manager%5C.(cds%5C.version_text%7Cwarming_clusters)")
        return f'cds.version_text: "{version}"' in stats and "warming_clusters: 0" in stats

    def _write_routes(self, snapshot: Snapshot) -> list[tuple[Balancer, Listener, str]]:
        changed = []
        clusters = {arn: Cluster(group.name, group.sticky_cookie_seconds) for arn, group in snapshot.groups.items()}
        for balancer in snapshot.balancers:
            for entry in balancer.listeners:
                version = self._write_route(entry, clusters)
                if version or entry.name not in self._listening:
                    changed.append((balancer, entry, version))
        return changed

    def _write_route(self, entry: Listener, clusters: Mapping[str, Cluster]) -> str:
        """The version that the listener's worker will tell; empty when nothing has changed."""

        def routes(version: str) -> Json:
            return route_configuration(entry, lambda arn: clusters.get(arn, UNKNOWN), version, self._token)

        try:
            version = hashlib.sha256(json.dumps(routes("")).encode()).hexdigest()[:VERSION_DIGITS]
            written = self._envoy.write(f"rds-{entry.name}", [{"@type": ROUTE_TYPE, **routes(version)}])
        except NotModeledError as error:
            self.problems[entry.arn] = str(error)
            log.error("listener %s keeps its old rules: %s", entry.arn, error)  # noqa: TRY400  (the message says all)
            return ""
        return version if written else ""

    def _write_listeners(self, snapshot: Snapshot) -> None:
        resources = []
        for balancer in snapshot.balancers:
            for entry in balancer.listeners:
                if self._can_listen(balancer, entry):
                    resources.append(config.listener(balancer, entry, self._folder, self._envoy.access_log))
        self._envoy.write("lds", resources)

    def _can_listen(self, balancer: Balancer, entry: Listener) -> bool:
        if entry.name in self._listening or not self._envoy.running:
            return True
        problem = port_problem(balancer.address, entry.port)
        if problem is None or self._has_port(entry):
            self.problems.pop(entry.arn, None)
            return True
        if self.problems.get(entry.arn) != problem:
            log.error("listener %s does not listen: %s", entry.arn, problem)
        self.problems[entry.arn] = problem
        return False

    def _has_port(self, entry: Listener) -> bool:
        """Whether it is our own Envoy that has the port; also when it is too busy to say so."""
        try:
            listeners = json.loads(self._envoy.get("/config_dump?resource=dynamic_listeners")).get("configs", [])
        except (OSError, http.client.HTTPException, ValueError):
            return True
        return any(
            one.get("name") == entry.name and {"active_state", "warming_state"} & one.keys() for one in listeners
        )

    def _confirm(self, changed: list[tuple[Balancer, Listener, str]]) -> None:
        if not self._envoy.running:
            return
        for balancer, entry, version in changed:
            if entry.arn in self.problems:
                continue

            def told(balancer: Balancer = balancer, entry: Listener = entry, version: str = version) -> bool:
                answer = ask(balancer.address, entry, self._token)
                return answer == version or (not version and bool(answer))

            seconds = CONFIRM_SECONDS if entry.name in self._listening else LISTEN_SECONDS
            if self._envoy.wait(told, seconds):
                self._listening.add(entry.name)
            else:
                log.warning("listener %s: not confirmed in %g s: %s", entry.arn, seconds, self._reason())

    def _reason(self) -> str:
        return self._envoy.last_line()

    def _forget(self, snapshot: Snapshot) -> None:
        """Drop the files of what is gone."""
        listeners = {entry.name: entry.arn for balancer in snapshot.balancers for entry in balancer.listeners}
        clusters = {group.name for group, _ in self._groups(snapshot)}
        for prefix, kept in (("rds-", set(listeners)), ("eds-", clusters)):
            for name in self._envoy.names(prefix):
                if name.removeprefix(prefix) not in kept:
                    self._envoy.remove(name)
        self._listening &= set(listeners)
        for arn in set(self.problems) - set(listeners.values()):
            del self.problems[arn]


def ask(address: str, entry: Listener, token: str) -> str:
    """Which configuration the worker of a listener has; empty when it is not ours. OSError when nobody listens."""
    port, headers = entry.port, {PROBE_HEADER: token}
    connection = http.client.HTTPConnection(address, port, timeout=PROBE_SECONDS)
    if entry.certificate:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is ours, on loopback, by address
        connection = http.client.HTTPSConnection(address, port, timeout=PROBE_SECONDS, context=context)
    try:
        connection.request("GET", "/", headers=headers)
        told = connection.getresponse().read(VERSION_DIGITS + 1).decode("latin-1")
        return told if re.fullmatch(f"[0-9a-f]{{{VERSION_DIGITS}}}", told) else ""
    finally:
        connection.close()


def port_problem(address: str, port: int) -> str | None:
    """Why nothing can listen there, with who has the port; None when it is free."""
    try:
        if bindable(address, port):
            return None
    except PermissionError:
        return f"port {port} needs a privileged user here; use a listener port of 1024 or more"
    return f"port {port} of {address} is taken by {holder(address, port)}; end that program or use another port"
