"""Load balancing and containers."""

import json

import pulumi
import pulumi_aws as aws
from steps import TAGS, changed, replaced


def balancing(vpc: aws.ec2.Vpc, subnets: list[aws.ec2.Subnet]) -> tuple[aws.lb.TargetGroup, list[aws.lb.ListenerRule]]:
    groups = {color: _target_group(color, vpc) for color in ("blue", "green")}
    listener = _listener(subnets)
    rules = [_weighted(listener, groups), _by_header(listener, groups)]
    _redirect(listener)
    return groups["blue"], rules


def _target_group(color: str, vpc: aws.ec2.Vpc) -> aws.lb.TargetGroup:
    return aws.lb.TargetGroup(
        color,
        # A name of its own would keep the rule's old group and its replacement from living side by side.
        name="conformance-blue" if color == "blue" else None,
        port=81 if replaced and color == "green" else 80,
        protocol="HTTP",
        target_type="ip",
        vpc_id=vpc.id,
        deregistration_delay=6 if changed else 5,
        health_check={
            "enabled": True,
            "path": "/livez" if changed else "/readyz",
            "matcher": "200",
            "interval": 5,
            "timeout": 2,
            "healthy_threshold": 2,
            "unhealthy_threshold": 3,
            "port": "traffic-port",
            "protocol": "HTTP",
        },
        tags=TAGS,
    )


def _listener(subnets: list[aws.ec2.Subnet]) -> aws.lb.Listener:
    balancer = aws.lb.LoadBalancer(
        "lb",
        name="conformance",
        internal=replaced,
        subnets=[s.id for s in (subnets[1::-1] if changed else subnets[:2])],
        idle_timeout=61 if changed else 60,
        drop_invalid_header_fields=True,
        tags=TAGS,
    )
    return aws.lb.Listener(
        "listener",
        load_balancer_arn=balancer.arn,
        port=8081 if changed else 8080,
        default_actions=[
            {
                "type": "fixed-response",
                "fixed_response": {
                    "content_type": "text/plain",
                    "message_body": "two" if changed else "one",
                    "status_code": "404",
                },
            }
        ],
        tags=TAGS,
    )


def _weighted(listener: aws.lb.Listener, groups: dict[str, aws.lb.TargetGroup]) -> aws.lb.ListenerRule:
    weights = {"blue": 70, "green": 30} if changed else {"blue": 100, "green": 0}
    rule = aws.lb.ListenerRule(
        "rule",
        listener_arn=listener.arn,
        priority=20 if changed else 10,
        conditions=[{"path_pattern": {"values": ["/v2/*", "/*"] if changed else ["/*"]}}],
        actions=[
            {
                "type": "forward",
                "forward": {
                    "target_groups": [{"arn": groups[c].arn, "weight": weight} for c, weight in weights.items()]
                },
            }
        ],
        tags=TAGS,
    )
    pulumi.export("weights", rule.actions[0].forward.target_groups.apply(lambda ts: [t.weight for t in ts]))
    return rule


def _by_header(listener: aws.lb.Listener, groups: dict[str, aws.lb.TargetGroup]) -> aws.lb.ListenerRule:
    return aws.lb.ListenerRule(
        "test",
        listener_arn=listener.arn,
        priority=1,
        conditions=[{"http_header": {"http_header_name": "bluegreen-color", "values": ["blue"]}}],
        actions=[{"type": "forward", "target_group_arn": groups["green" if changed else "blue"].arn}],
    )


def _redirect(listener: aws.lb.Listener) -> None:
    aws.lb.ListenerRule(
        "redirect",
        listener_arn=listener.arn,
        priority=2,
        conditions=[{"host_header": {"values": ["old.example.com"]}}],
        actions=[
            {
                "type": "redirect",
                "redirect": {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_302" if changed else "HTTP_301"},
            }
        ],
    )


def containers(
    role: aws.iam.Role,
    balanced: tuple[aws.lb.TargetGroup, list[aws.lb.ListenerRule]],
    subnets: list[aws.ec2.Subnet],
    firewall: aws.ec2.SecurityGroup,
) -> None:
    cluster = aws.ecs.Cluster(
        "cluster",
        name="conformance",
        settings=[{"name": "containerInsights", "value": "disabled" if changed else "enabled"}],
        tags=TAGS,
    )
    _service(cluster, _task(role), balanced, subnets, firewall)
    _repository()


def _task(role: aws.iam.Role) -> aws.ecs.TaskDefinition:
    definitions = [
        {
            "name": "app",
            "image": "app:3" if replaced else "app:1",
            "environment": [{"name": "B", "value": "1"}, {"name": "A", "value": "2"}],
            "portMappings": [{"containerPort": 8080}],
        }
    ]
    return aws.ecs.TaskDefinition(
        "td",
        family="conformance",
        cpu="256",
        memory="512",
        network_mode="awsvpc",
        requires_compatibilities=["FARGATE"],
        runtime_platform={"cpu_architecture": "X86_64", "operating_system_family": "LINUX"},
        execution_role_arn=role.arn,
        container_definitions=json.dumps(definitions),
        tags=TAGS,
    )


def _service(
    cluster: aws.ecs.Cluster,
    task: aws.ecs.TaskDefinition,
    balanced: tuple[aws.lb.TargetGroup, list[aws.lb.ListenerRule]],
    subnets: list[aws.ec2.Subnet],
    firewall: aws.ec2.SecurityGroup,
) -> None:
    group, rules = balanced
    aws.ecs.Service(
        "service",
        name="conformance-3" if replaced else "conformance",
        cluster=cluster.arn,
        task_definition=task.arn,
        launch_type="FARGATE",
        desired_count=0,
        network_configuration={
            "subnets": [s.id for s in subnets[:2]],
            "security_groups": [firewall.id],
            "assign_public_ip": changed,
        },
        load_balancers=[{"target_group_arn": group.arn, "container_name": "app", "container_port": 8080}],
        health_check_grace_period_seconds=31 if changed else 30,
        deployment_circuit_breaker={"enable": True, "rollback": False},
        deployment_minimum_healthy_percent=50 if changed else 100,
        deployment_maximum_percent=200,
        enable_ecs_managed_tags=True,
        propagate_tags="SERVICE",
        wait_for_steady_state=False,
        tags=TAGS,
        # ECS takes a target group only once a load balancer uses it.
        opts=pulumi.ResourceOptions(depends_on=rules),
    )


def _repository() -> None:
    repository = aws.ecr.Repository(
        "repo",
        name="conformance-3" if replaced else "conformance",
        image_tag_mutability="MUTABLE" if changed else "IMMUTABLE",
        image_scanning_configuration={"scan_on_push": not changed},
        force_delete=True,
        tags=TAGS,
    )
    rule = {
        "rulePriority": 1,
        "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 3 + changed},
        "action": {"type": "expire"},
    }
    aws.ecr.LifecyclePolicy("policy", repository=repository.name, policy=json.dumps({"rules": [rule]}))
    pulumi.export("repository", repository.repository_url)
