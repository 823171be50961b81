"""What is live, as AWS's APIs say, and what the embedded AWS adds: the times of its calls.

Only reads.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, LiteralString

import boto3
import psycopg

from infra import naming
from infra.naming import COLORS, Color
from rehearsal.weights import Span


class LookError(Exception):
    """What the rehearsal looks for is not there; one line."""


@dataclass(kw_only=True)
class Live:
    """Looks at one stack. The environment is that of `python -m local env`."""

    prefix: str
    environment: Mapping[str, str]
    _clients: dict[str, Any] = field(default_factory=dict)
    _rule: str = ""

    def client(self, service: str) -> Any:
        """A client of boto3, kept."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.environment["AWS_ENDPOINT_URL"],
                region_name=self.environment["AWS_REGION"],
                aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service]

    def weights(self) -> dict[Color, int]:
        """The weights of the production rule. Raises LookError."""
        elb = self.client("elbv2")
        groups = {
            group["TargetGroupArn"]: color
            for color in COLORS
            for group in elb.describe_target_groups(Names=[naming.target_group(self.prefix, color)])["TargetGroups"]
        }
        self._rule = self._rule or self._find_rule(set(groups))
        action = elb.describe_rules(RuleArns=[self._rule])["Rules"][0]["Actions"][-1]
        found = {group["TargetGroupArn"]: group["Weight"] for group in action["ForwardConfig"]["TargetGroups"]}
        return {color: int(found.get(arn, 0)) for arn, color in groups.items()}

    def forget(self) -> None:
        """The stack is gone: what comes after it has another rule."""
        self._rule = ""

    def _find_rule(self, groups: set[str]) -> str:
        elb = self.client("elbv2")
        for balancer in elb.describe_load_balancers()["LoadBalancers"]:
            for listener in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
                for rule in elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]:
                    if groups == {group["TargetGroupArn"] for group in _forward(rule)}:
                        return str(rule["RuleArn"])
        raise LookError(f"no listener rule forwards to both colors of {self.prefix}, expected the production rule")

    def versions(self) -> dict[Color, str]:
        """The version that each color's service holds now; a color without a service is left out."""
        ecs = self.client("ecs")
        names = {naming.service(self.prefix, color): color for color in COLORS}
        services = ecs.describe_services(cluster=self.prefix, services=list(names))["services"]
        found: dict[Color, str] = {}
        for service in services:
            if service["status"] != "ACTIVE":
                continue
            definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
            variables = {each["name"]: each["value"] for each in definition["containerDefinitions"][0]["environment"]}
            found[names[service["serviceName"]]] = variables["APP_VERSION"]
        return found

    def weights_by_version(self) -> dict[str, int]:
        """The live weights under the names of the versions."""
        versions = self.versions()
        found: dict[str, int] = {}
        for color, weight in self.weights().items():
            if color in versions:
                found[versions[color]] = found.get(versions[color], 0) + weight
        return found

    def shifts(self, since: int) -> tuple[list[Span], int]:
        """Begin and end of the ModifyRule calls after number `since`, and the number of the newest call of all."""
        url = f"{self.environment['AWS_ENDPOINT_URL']}/_local/calls?service=elbv2&action=ModifyRule&since={since}"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  the embedded AWS on loopback
            report = json.load(answer)
        answered = [call for call in report["calls"] if call["status"] < 300]
        return [(call["time"] - call["seconds"], call["time"]) for call in answered], int(report["last"])

    def database(self) -> Mapping[str, Any]:
        """The stack's database instance, as RDS describes it."""
        found = self.client("rds").describe_db_instances(DBInstanceIdentifier=self.prefix)["DBInstances"]
        return dict(found[0])

    def connect(self, application: str = "rehearsal") -> psycopg.Connection[tuple[Any, ...]]:
        """A session in the stack's database, as its owner; the caller closes it."""
        instance = self.database()
        secret = self.client("secretsmanager").get_secret_value(SecretId=instance["MasterUserSecret"]["SecretArn"])
        login = json.loads(secret["SecretString"])
        return psycopg.connect(
            host=instance["Endpoint"]["Address"],
            port=instance["Endpoint"]["Port"],
            dbname=instance["DBName"],
            user=login["username"],
            password=login["password"],
            connect_timeout=10,
            application_name=application,
        )

    def ask(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """The rows of one query, asked of the database itself."""
        with self.connect() as connection:
            return connection.execute(query, values).fetchall()

    def columns(self, table: str) -> set[str]:
        """The columns that a table has now."""
        rows = self.ask("SELECT column_name FROM information_schema.columns WHERE table_name = %s", table)
        return {str(row[0]) for row in rows}

    def start_task(self, color: Color) -> str:
        """A task of that color beside its service, as a person may start one by hand; answers its ARN."""
        ecs = self.client("ecs")
        service = ecs.describe_services(cluster=self.prefix, services=[naming.service(self.prefix, color)])["services"]
        answer = ecs.run_task(
            cluster=self.prefix,
            taskDefinition=service[0]["taskDefinition"],
            networkConfiguration=service[0]["networkConfiguration"],
            launchType="FARGATE",
            startedBy="by-hand",
        )
        if not answer["tasks"]:
            raise LookError(f"the task by hand did not start: {answer['failures']}")
        return str(answer["tasks"][0]["taskArn"])

    def stop_task(self, arn: str) -> None:
        """Stop it."""
        self.client("ecs").stop_task(cluster=self.prefix, task=arn)

    def task_status(self, arn: str) -> str:
        """RUNNING, STOPPED, ..."""
        return str(self.client("ecs").describe_tasks(cluster=self.prefix, tasks=[arn])["tasks"][0]["lastStatus"])


def _forward(rule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    actions = rule.get("Actions") or []
    return list(actions[-1].get("ForwardConfig", {}).get("TargetGroups", [])) if actions else []
