"""One API call, as the handlers see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.ecs.errors import aws_error, client
from local.ecs.model import Place, Service, short_name

if TYPE_CHECKING:
    from local.ecs.scheduler import Scheduler


@dataclass(frozen=True)
class Request:
    """A call: where it goes, its members as the client sent them, and who carries it out."""

    place: Place
    given: Mapping[str, Any]
    scheduler: Scheduler

    @property
    def wants_tags(self) -> bool:
        """True when `include` asks for tags."""
        return "TAGS" in (self.given.get("include") or ())

    def cluster(self) -> Any:
        """The cluster that the call names, or `default`.

        Raises:
            ClusterNotFoundException: no such cluster, or it was deleted.
        """
        return cluster(self.place, self.given.get("cluster") or "default")

    def definition(self) -> Any:
        """The task definition that the call names.

        Raises:
            ClientException: no such task definition, or it was deregistered.
        """
        definition = self.place.backend.describe_task_definition(self.given["taskDefinition"])
        if definition.status != "ACTIVE":
            raise client("TaskDefinition is inactive")
        return definition

    def service(self, name_or_arn: str) -> Service:
        """A service of the call's cluster.

        Raises:
            ServiceNotFoundException: no such service.
        """
        found: Service | None = self.place.backend.services.get(f"{self.cluster().name}:{short_name(name_or_arn)}")
        if found is None:
            raise aws_error("ServiceNotFoundException", "Service not found.")
        return found


def cluster(place: Place, name_or_arn: str) -> Any:
    """A cluster that is not deleted.

    Raises:
        ClusterNotFoundException: no such cluster.
    """
    found = place.backend.clusters.get(short_name(name_or_arn))
    if found is None or found.status != "ACTIVE":
        raise aws_error("ClusterNotFoundException", "Cluster not found.")
    return found
