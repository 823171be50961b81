"""The load balancing of the embedded AWS: moto keeps what was asked for, this makes it true.

Three threads: one keeps Envoy alive (it must outlive Envoy, which dies with it), one checks health, and one follows the
control plane, watches draining targets and turns the access log into metrics. API calls apply their own change before
they answer.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

from local.addresses import Addresses, Pool
from local.contracts import TargetHealth
from local.elb import config, reader
from local.elb.accesslog import AccessLog
from local.elb.envoy import Envoy, EnvoyError
from local.elb.model import Snapshot
from local.elb.plane import Plane
from local.elb.prober import Prober
from local.elb.recorder import Recorder
from local.elb.targets import Key, Registry
from local.processes import Records
from local.server import LOCK

log = logging.getLogger(__name__)

START_SECONDS = 12.0
TICK_SECONDS = 0.5
LOOK_SECONDS = 0.05  # between the looks at a draining target
RESTART_SECONDS = (0.2, 5.0)  # after the first death or failure, and at most


class LoadBalancing:
    """Target groups, health, and the Envoy that listens for every application load balancer."""

    def __init__(self, directory: Path, addresses: Addresses) -> None:
        self._addresses = addresses
        self._envoy = Envoy(directory / "elb", Records(directory / "processes"))
        self._wake = threading.Event()
        self._keep = threading.Event()
        self._attempt = threading.Condition()
        self._serving = False
        self.failure: str | None = None  # why there is no Envoy although there should be
        self._stopping = threading.Event()
        self._wanted = False
        self._generation = 0
        self._taken: dict[str, int] = {}
        self._snapshot = Snapshot()
        self.targets = Registry(changed=self._changed)
        self._plane = Plane(self._envoy, self.targets.members)
        self._prober = Prober(self.targets)
        log_file = AccessLog(self._envoy.access_log, lambda: self._envoy.post("/reopen_logs"))
        self._recorder = Recorder(log_file, self.targets.members)
        self._threads = [
            threading.Thread(target=self._keeper, name="elb-envoy", daemon=True),
            threading.Thread(target=self._follow, name="elb-follow", daemon=True),
        ]

    # --- life

    def start(self) -> None:
        """Take over moto's load balancing and start the threads; Envoy starts with the first load balancer."""
        from local.elb import moto_cloudwatch, moto_elb  # they patch moto, which must not happen by an import

        moto_elb.patch(self)
        moto_cloudwatch.patch()
        self._prober.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End everything that was started, and leave moto as it was."""
        from local.elb import moto_elb

        self._stopping.set()
        self._wake.set()
        self._keep.set()
        self._prober.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._envoy.stop()
        self._recorder.close()
        moto_elb.unpatch(self)

    @property
    def envoy_pid(self) -> int | None:
        """Envoy's process id while it runs."""
        return self._envoy.pid

    @property
    def problems(self) -> dict[str, str]:
        """Listener ARN: why it does not listen."""
        return dict(self._plane.problems)

    def take_address(self) -> str:
        """An address for a new load balancer; given back when the load balancer is gone. Called with the lock held."""
        address = self._addresses.take(Pool.LOAD_BALANCER)
        self._taken[address] = self._generation
        return address

    def _give_back(self, snapshot: Snapshot, generation: int) -> None:
        used = {balancer.address for balancer in snapshot.balancers}
        for address, since in list(self._taken.items()):
            if address not in used and since < generation:
                del self._taken[address]
                self._addresses.give_back(address)

    # --- TargetGroups

    def register(self, target_group_arn: str, address: str, port: int) -> None:
        """Add a target, which is `initial` until its first successful health check."""
        self._known(target_group_arn)
        self.targets.register((target_group_arn, address, port))

    def deregister(self, target_group_arn: str, address: str, port: int) -> None:
        """Start draining: no new request goes to the target, those in flight are finished."""
        self.targets.deregister((target_group_arn, address, port))

    def health(self, target_group_arn: str, address: str, port: int) -> TargetHealth:
        """The health of one target; `unused` for one that is not registered."""
        return self.targets.health((target_group_arn, address, port))

    def drained(self, target_group_arn: str, address: str, port: int) -> bool:
        """True when no request is in flight (3 looks 50 ms apart) or the deregistration delay is over."""
        return self.targets.drained((target_group_arn, address, port))

    def _known(self, arn: str) -> None:
        """Make sure that the registry has a group which was created since the last look."""
        if arn not in self._snapshot.groups:
            self._read()

    # --- applying

    def apply(self) -> None:
        """Make what the control plane says now true, and wait for it (bounded)."""
        snapshot, generation = self._read()
        if self._wanted and not self._serving:
            with self._attempt:
                self._keep.set()
                self._attempt.wait_for(lambda: self._serving or self.failure, START_SECONDS)
        self._plane.apply(snapshot, generation)
        self._give_back(snapshot, generation)
        self._prober.sync()

    def _read(self) -> tuple[Snapshot, int]:
        with LOCK:
            snapshot = reader.snapshot()
            self._generation += 1
            generation = self._generation
            self._snapshot = snapshot
            self.targets.configure(snapshot.groups, frozenset(snapshot.users()))
            self._wanted = any(balancer.listeners for balancer in snapshot.balancers)
        return snapshot, generation

    def _changed(self) -> None:
        self._wake.set()

    # --- threads

    def _keeper(self) -> None:
        pause, most = RESTART_SECONDS
        while not self._stopping.is_set():
            self._keep.wait(pause)
            self._keep.clear()
            try:
                self._keep_envoy()
                pause = RESTART_SECONDS[0]
            except (EnvoyError, OSError) as error:
                log.error("no load balancer: %s", error)  # noqa: TRY400  (the message says all)
                pause = min(pause * 2, most)
                self._attempted(str(error))

    def _keep_envoy(self) -> None:
        if self._serving and not self._envoy.running:
            self._serving = False
            log.error("Envoy ended with %s: %s", self._envoy.exit_code, self._envoy.last_line())
        if self._wanted and not self._serving and not self._stopping.is_set():
            self._envoy.start(config.bootstrap(self._envoy.folder, self._envoy.admin))
            log.info("Envoy runs, pid %s", self._envoy.pid)
            self._plane.restarted()
            self._attempted(None)
        elif not self._wanted and self._serving:
            self._serving = False
            self._envoy.stop()

    def _attempted(self, failure: str | None) -> None:
        with self._attempt:
            self._serving, self.failure = failure is None, failure
            self._attempt.notify_all()
        self._wake.set()

    def _follow(self) -> None:
        tick_due = look_due = 0.0
        while not self._stopping.is_set():
            draining = bool(self.targets.draining())
            woken = self._wake.wait(LOOK_SECONDS if draining else TICK_SECONDS)
            self._wake.clear()
            try:
                if woken or time.monotonic() >= tick_due:
                    self._tick()
                    tick_due = time.monotonic() + TICK_SECONDS
                if draining and time.monotonic() >= look_due:
                    look_due = time.monotonic() + LOOK_SECONDS
                    if self.targets.look(self._busy()):
                        self._wake.set()
            except Exception:
                log.exception("the load balancing skips one turn")

    def _tick(self) -> None:
        snapshot, generation = self._read()
        if snapshot != self._plane.applied or not self._plane.complete:
            self._plane.apply(snapshot, generation)
            self._give_back(snapshot, generation)
        else:
            self._plane.endpoints(snapshot)
        self._prober.sync()
        self._recorder.turn(snapshot)

    def _busy(self) -> Any:
        """Whether a draining target may still have a request; as one look at Envoy's counters."""
        try:
            hosts = active_requests(json.loads(self._envoy.get("/clusters?format=json")))
        except (OSError, http.client.HTTPException, ValueError):
            hosts = {}
        names = {arn: group.name for arn, group in self._snapshot.groups.items()}

        def busy(key: Key) -> bool:
            active, told = hosts.get((names.get(key[0], ""), key[1], key[2]), (0, True))
            return active > 0 or not told

        return busy


def active_requests(clusters: dict[str, Any]) -> dict[tuple[str, str, int], tuple[int, bool]]:
    """Requests in flight of every host, and whether Envoy knows that it drains, from the admin page of the clusters."""
    found = {}
    for cluster in clusters.get("cluster_statuses", []):
        for host in cluster.get("host_statuses", []):
            place = host["address"]["socket_address"]
            active = next((int(s.get("value", 0)) for s in host.get("stats", []) if s.get("name") == "rq_active"), 0)
            told = host.get("health_status", {}).get("eds_health_status") == "DRAINING"
            found[cluster["name"], place["address"], place["port_value"]] = (active, told)
    return found
