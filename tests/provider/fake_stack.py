"""The AWS things that a release works on, made in the fake AWS by plain calls."""

import itertools
import threading
from dataclasses import dataclass, field

from tests.provider.fake_aws import COLORS, FakeAws

NUMBERS = itertools.count(1)


@dataclass
class Stack:
    """Cluster, network, load balancer with a weighted rule, a target group and a service of each color."""

    fake: FakeAws
    name: str = ""
    groups: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.name = f"t{next(NUMBERS)}"
        elb = self.fake.client("elbv2")
        self.vpc, self.subnets, self.security = self.fake.network or self._network()
        self.balancer = elb.create_load_balancer(Name=self.name, Subnets=self.subnets)["LoadBalancers"][0][
            "LoadBalancerArn"
        ]
        for color in COLORS:
            made = elb.create_target_group(
                Name=f"{self.name}-{color}", Protocol="HTTP", Port=8080, VpcId=self.vpc, TargetType="ip"
            )
            self.groups[color] = made["TargetGroups"][0]["TargetGroupArn"]
        none = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
        self.listener = elb.create_listener(
            LoadBalancerArn=self.balancer, Protocol="HTTP", Port=80, DefaultActions=none
        )["Listeners"][0]["ListenerArn"]
        self.rule = elb.create_rule(
            ListenerArn=self.listener,
            Priority=10,
            Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
            Actions=self.actions(100, 0),
        )["Rules"][0]["RuleArn"]
        self.fake.client("ecs").create_cluster(clusterName=self.name)
        self.fake.client("logs").create_log_group(logGroupName=f"/{self.name}/app")
        self.fake.calls.clear()

    def _network(self):
        ec2 = self.fake.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"][
                "SubnetId"
            ]
            for n, zone in enumerate("ab")
        ]
        group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=vpc)["GroupId"]
        self.fake.network = (vpc, subnets, group)
        return self.fake.network

    def actions(self, blue, green):
        """A weighted forward action, with stickiness that has to survive."""
        weights = {"blue": blue, "green": green}
        return [
            {
                "Type": "forward",
                "ForwardConfig": {
                    "TargetGroups": [{"TargetGroupArn": self.groups[one], "Weight": weights[one]} for one in COLORS],
                    "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 77},
                },
            }
        ]

    def set_weights(self, blue, green):
        """As somebody with the console would."""
        self.fake.client("elbv2").modify_rule(RuleArn=self.rule, Actions=self.actions(blue, green))
        self.fake.calls.clear()

    def forward(self):
        """The rule's forward configuration, as stored."""
        rule = self.fake.client("elbv2").describe_rules(RuleArns=[self.rule])["Rules"][0]
        return rule["Actions"][0]["ForwardConfig"]

    def weights(self):
        """Live weights, blue and green."""
        by_arn = {one["TargetGroupArn"]: one["Weight"] for one in self.forward()["TargetGroups"]}
        return by_arn[self.groups["blue"]], by_arn[self.groups["green"]]

    def define(self, color, version, container="app"):
        """Register a task definition of a color."""
        options = {
            "awslogs-group": f"/{self.name}/app",
            "awslogs-region": "eu-west-1",
            "awslogs-stream-prefix": color,
        }
        made = self.fake.client("ecs").register_task_definition(
            family=f"{self.name}-{color}",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {
                    "name": container,
                    "image": f"repo@sha256:{version}",
                    "memory": 512,  # moto's RunTask needs it, Fargate doesn't
                    "environment": [{"name": "APP_VERSION", "value": version}],
                    "logConfiguration": {"logDriver": "awslogs", "options": options},
                }
            ],
        )
        self.definitions[color] = made["taskDefinition"]["taskDefinitionArn"]
        return self.definitions[color]

    def serve(self, color, version, count=2):
        """Create or update the service of a color."""
        ecs, name = self.fake.client("ecs"), f"{self.name}-{color}"
        definition = self.define(color, version)
        network = {"awsvpcConfiguration": {"subnets": self.subnets, "securityGroups": [self.security]}}
        found = ecs.describe_services(cluster=self.name, services=[name])["services"]
        if found:
            ecs.update_service(cluster=self.name, service=name, taskDefinition=definition, desiredCount=count)
        else:
            ecs.create_service(
                cluster=self.name,
                serviceName=name,
                taskDefinition=definition,
                desiredCount=count,
                launchType="FARGATE",
                networkConfiguration=network,
                loadBalancers=[{"targetGroupArn": self.groups[color], "containerName": "app", "containerPort": 8080}],
            )
        self.fake.calls.clear()

    def settle(self, seconds=10):
        """Wait until both services run what they should."""
        ecs, pause = self.fake.client("ecs"), threading.Event()
        for _ in range(int(seconds / 0.05)):
            found = ecs.describe_services(cluster=self.name, services=list(self.services.values()))["services"]
            if all(one["runningCount"] == one["desiredCount"] for one in found):
                return
            pause.wait(0.05)
        raise AssertionError(found)

    @property
    def services(self):
        return {color: f"{self.name}-{color}" for color in COLORS}

    # Inputs of the four resources, as on the wire ----------------------------------------------------------------

    def release(self, version, **more):
        return {
            "service": "orders",
            "version": version,
            "image": f"repo@sha256:{version}",
            "repository": self.name,
            "cluster": self.name,
            "services": self.services,
            "listenerRuleArn": self.rule,
            "targetGroupArns": self.groups,
            "desiredCount": 2,
            **more,
        }

    def task(self, trigger="v1", **more):
        return {
            "name": "expand",
            "trigger": trigger,
            "cluster": self.name,
            "taskDefinitions": self.definitions,
            "color": "blue",
            "container": "app",
            "command": ["python", "-m", "migrations", "expand"],
            "subnets": self.subnets,
            "securityGroups": [self.security],
            "timeoutSeconds": 60,
            **more,
        }

    def capacity(self, color="green", count=2, **more):
        return {
            "cluster": self.name,
            "services": self.services,
            "taskDefinitions": self.definitions,
            "targetGroupArns": self.groups,
            "color": color,
            "desiredCount": count,
            "timeoutSeconds": 60,
            **more,
        }

    def shift(self, weights=(0, 100), seen=(100, 0), **more):
        return {
            "listenerRuleArn": self.rule,
            "targetGroupArns": self.groups,
            "weights": dict(zip(COLORS, weights, strict=True)),
            "seenWeights": dict(zip(COLORS, seen, strict=True)),
            "cluster": self.name,
            "services": self.services,
            "bakeSeconds": 0,
            "timeoutSeconds": 60,
            **more,
        }
