"""Who may talk to whom: one security group for each kind of thing, every rule a resource of its own.

Rules inside a group would make two groups that name each other impossible to delete.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from infra.network import ANYWHERE

HTTPS_PORT = 443


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """Ports of the listeners (production, test, perhaps redirect), the tasks and the database, and who is let in.

    Production listeners accept allowed_cidrs. The test listener reaches a color before it has traffic, so it accepts
    the tasks (the smoke test is one), the NAT address they come from when the load balancer is internet-facing, and
    test_allowed_cidrs.
    """

    vpc_id: pulumi.Input[str]
    production_ports: tuple[int, ...]
    test_port: int
    task_port: int
    database_port: int
    internal: bool
    allowed_cidrs: tuple[str, ...]
    test_allowed_cidrs: tuple[str, ...] = ()
    nat_address: pulumi.Input[str] | None = field(default=None)


class Firewall(pulumi.ComponentResource):
    """`bluegreen:infra:Firewall`: security groups of load balancer, tasks and database, with their rules.

    Outputs: the three groups' ids. Whoever needs a way to be open depends on the component.
    """

    load_balancer: aws.ec2.SecurityGroup
    tasks: aws.ec2.SecurityGroup
    database: aws.ec2.SecurityGroup

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:Firewall", name, {}, opts)
        self._name = name
        self.load_balancer = self._group("load-balancer", args.vpc_id, "Load balancer of both colors")
        self.tasks = self._group("tasks", args.vpc_id, "Tasks of both colors, migrations and smoke tests")
        self.database = self._group("database", args.vpc_id, "PostgreSQL")
        self._listeners(args)
        self._between(args)
        self.register_outputs(
            {"loadBalancer": self.load_balancer.id, "tasks": self.tasks.id, "database": self.database.id}
        )

    def _listeners(self, args: FirewallArgs) -> None:
        for port in args.production_ports:
            for position, cidr in enumerate(args.allowed_cidrs):
                self._open(f"clients-{port}-{position}", self.load_balancer, port, "Clients", cidr=cidr)
        for position, cidr in enumerate(args.test_allowed_cidrs):
            self._open(f"testers-{position}", self.load_balancer, args.test_port, "People who test", cidr=cidr)
        if args.internal:
            self._open("smoke", self.load_balancer, args.test_port, "Smoke test", group=self.tasks)
            self._open("smoke-out", self.tasks, args.test_port, "Smoke test", out=True, group=self.load_balancer)
            return
        # An internet-facing load balancer resolves to public addresses, also in the VPC: the smoke test arrives from
        # NAT.
        if args.nat_address is not None:
            source = pulumi.Output.concat(args.nat_address, "/32")
            self._open("smoke", self.load_balancer, args.test_port, "Smoke test through NAT", cidr=source)
        self._open("smoke-out", self.tasks, args.test_port, "Smoke test", out=True, cidr=ANYWHERE)

    def _between(self, args: FirewallArgs) -> None:
        port, database = args.task_port, args.database_port
        self._open("to-tasks", self.load_balancer, port, "Requests and health checks", out=True, group=self.tasks)
        self._open("from-load-balancer", self.tasks, port, "Requests and health checks", group=self.load_balancer)
        self._open("to-database", self.tasks, database, "PostgreSQL", out=True, group=self.database)
        self._open("from-tasks", self.database, database, "PostgreSQL", group=self.tasks)
        # ECR, CloudWatch Logs and Secrets Manager, through NAT or endpoints; their addresses aren't known in advance.
        self._open("to-aws", self.tasks, HTTPS_PORT, "APIs of AWS", out=True, cidr=ANYWHERE)

    def _group(self, role: str, vpc_id: pulumi.Input[str], description: str) -> aws.ec2.SecurityGroup:
        return aws.ec2.SecurityGroup(
            f"{self._name}-{role}",
            vpc_id=vpc_id,
            description=description,
            tags={"Name": f"{self._name}-{role}"},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _open(
        self,
        role: str,
        owner: aws.ec2.SecurityGroup,
        port: int,
        description: str,
        *,
        out: bool = False,
        cidr: pulumi.Input[str] | None = None,
        group: aws.ec2.SecurityGroup | None = None,
    ) -> None:
        rule = aws.vpc.SecurityGroupEgressRule if out else aws.vpc.SecurityGroupIngressRule
        rule(
            f"{self._name}-{role}",
            security_group_id=owner.id,
            description=description,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            cidr_ipv4=cidr,
            referenced_security_group_id=group.id if group else None,
            opts=pulumi.ResourceOptions(parent=self),
        )
