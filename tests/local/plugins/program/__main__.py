"""Every type of the plugin's table. `step` says which values: 1 as created, 2 changed in place, 3 replaced."""

import json

import pulumi
import pulumi_aws as aws

step = pulumi.Config().require_int("step")
changed, replaced = step >= 2, step >= 3
TAGS = {"step": "2" if changed else "1"}
ANYWHERE = "0.0.0.0/0"
JSON_ROLE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def network() -> tuple[aws.ec2.Vpc, list[aws.ec2.Subnet], aws.ec2.SecurityGroup]:
    vpc = aws.ec2.Vpc("v", cidr_block="10.0.0.0/16", enable_dns_hostnames=True, tags=TAGS)
    subnets = [
        aws.ec2.Subnet(
            f"s{n}",
            vpc_id=vpc.id,
            cidr_block=f"10.0.{n + (10 if replaced and n == 2 else 0)}.0/24",
            availability_zone=f"eu-west-1{'abc'[n]}",
            map_public_ip_on_launch=changed,
            tags=TAGS,
        )
        for n in range(3)
    ]
    gateway = aws.ec2.InternetGateway("igw", vpc_id=vpc.id, tags=TAGS)
    address = aws.ec2.Eip("eip", domain="vpc", tags=TAGS)
    other_address = aws.ec2.Eip("eip2", domain="vpc")
    nat = aws.ec2.NatGateway(
        "nat", allocation_id=(other_address if replaced else address).id, subnet_id=subnets[0].id, tags=TAGS
    )
    table = aws.ec2.RouteTable("rt", vpc_id=vpc.id, tags=TAGS)
    other = aws.ec2.RouteTable("rt2", vpc_id=vpc.id, tags=TAGS)
    aws.ec2.Route(
        "r",
        route_table_id=table.id,
        destination_cidr_block="192.168.0.0/16" if replaced else ANYWHERE,
        gateway_id=None if changed else gateway.id,
        nat_gateway_id=nat.id if changed else None,
    )
    aws.ec2.RouteTableAssociation("rta", subnet_id=subnets[0].id, route_table_id=other.id if replaced else table.id)
    group = security_groups(vpc)
    aws.ec2.VpcEndpoint(
        "s3",
        vpc_id=vpc.id,
        service_name="com.amazonaws.eu-west-1.s3",
        vpc_endpoint_type="Gateway",
        route_table_ids=[table.id],
        tags=TAGS,
    )
    aws.ec2.VpcEndpoint(
        "logs",
        vpc_id=vpc.id,
        service_name="com.amazonaws.eu-west-1.secretsmanager" if replaced else "com.amazonaws.eu-west-1.logs",
        vpc_endpoint_type="Interface",
        private_dns_enabled=True,
        subnet_ids=[s.id for s in (subnets[1::-1] if changed else subnets[:1])],
        security_group_ids=[group.id],
        tags=TAGS,
    )
    return vpc, subnets, group


def security_groups(vpc: aws.ec2.Vpc) -> aws.ec2.SecurityGroup:
    aws.ec2.DefaultSecurityGroup("dsg", vpc_id=vpc.id, ingress=[], egress=[], tags=TAGS)
    inside = [
        {"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["10.0.0.0/8", "192.168.0.0/16"]},
        {"protocol": "tcp", "from_port": 8443 if changed else 443, "to_port": 8443, "cidr_blocks": [ANYWHERE]},
    ]
    aws.ec2.SecurityGroup("inline", vpc_id=vpc.id, ingress=inside, description="rules inside", tags=TAGS)
    group = aws.ec2.SecurityGroup("sg", vpc_id=vpc.id, description="3" if replaced else "1", tags=TAGS)
    aws.vpc.SecurityGroupIngressRule(
        "in",
        security_group_id=group.id,
        ip_protocol="tcp",
        from_port=443,
        to_port=8443 if changed else 443,
        cidr_ipv4=ANYWHERE,
        description="two" if changed else "one",
        tags=TAGS,
    )
    aws.vpc.SecurityGroupEgressRule(
        "out",
        security_group_id=group.id,
        ip_protocol="tcp",
        from_port=5432,
        to_port=5432,
        referenced_security_group_id=group.id,
        description="two" if changed else "one",
    )
    return group


def database(subnets: list[aws.ec2.Subnet]) -> None:
    group = aws.rds.SubnetGroup(
        "dbsg", name=f"conformance{'-3' if replaced else ''}", subnet_ids=[s.id for s in subnets[:2]], tags=TAGS
    )
    parameters = aws.rds.ParameterGroup(
        "dbpg",
        family="postgres16",
        description="three" if replaced else "one",
        parameters=[
            {"name": "log_lock_waits", "value": "0" if changed else "1", "apply_method": "immediate"},
            {"name": "rds.force_ssl", "value": "1", "apply_method": "immediate"},
        ][:: -1 if changed else 1],
        tags=TAGS,
    )
    instance = aws.rds.Instance(
        "db",
        identifier="conformance-3" if replaced else "conformance",
        engine="postgres",
        engine_version="16",
        instance_class="db.t4g.small" if changed else "db.t4g.micro",
        allocated_storage=20,
        storage_type="gp3",
        storage_encrypted=True,
        db_name="app",
        port=5432,
        username="owner",
        manage_master_user_password=True,
        iam_database_authentication_enabled=True,
        db_subnet_group_name=group.name,
        publicly_accessible=False,
        parameter_group_name=parameters.name,
        multi_az=changed,
        backup_retention_period=7 if changed else 1,
        copy_tags_to_snapshot=True,
        enabled_cloudwatch_logs_exports=["upgrade", "postgresql"] if changed else ["postgresql"],
        skip_final_snapshot=True,
        tags=TAGS,
    )
    pulumi.export("owner_secret", instance.master_user_secrets[0].secret_arn)
    pulumi.export("endpoint", instance.endpoint)


def security() -> aws.iam.Role:
    secret = aws.secretsmanager.Secret(
        "secret",
        name="conformance/3" if replaced else "conformance/1",
        description=f"step {min(step, 2)}",
        recovery_window_in_days=0,
        tags=TAGS,
    )
    aws.secretsmanager.SecretVersion("sv", secret_id=secret.id, secret_string=pulumi.Output.secret(f"hush-{step}"))
    key = aws.kms.Key(
        "key", description=f"step {min(step, 2)}", enable_key_rotation=changed, deletion_window_in_days=7, tags=TAGS
    )
    other = aws.kms.Key("key2", multi_region=replaced)
    aws.kms.Alias(
        "alias", name="alias/three" if replaced else "alias/one", target_key_id=(other if changed else key).id
    )
    role = aws.iam.Role(
        "role",
        name="conformance-3" if replaced else "conformance",
        description="two" if changed else "one",
        max_session_duration=7200 if changed else 3600,
        assume_role_policy=json.dumps(JSON_ROLE, indent=2 if changed else None),
        tags=TAGS,
    )
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "logs:*" if changed else "ecr:*", "Resource": "*"}],
    }
    aws.iam.RolePolicy("rp", role=role.id, name="own", policy=json.dumps(document))
    aws.iam.RolePolicyAttachment(
        "rpa",
        role=role.name,
        policy_arn="arn:aws:iam::aws:policy/" + ("AmazonECS_FullAccess" if replaced else "ReadOnlyAccess"),
    )
    return role


def balancing(vpc: aws.ec2.Vpc, subnets: list[aws.ec2.Subnet]) -> tuple[aws.lb.TargetGroup, list[aws.lb.ListenerRule]]:
    balancer = aws.lb.LoadBalancer(
        "lb",
        name="conformance",
        internal=replaced,
        subnets=[s.id for s in (subnets[1::-1] if changed else subnets[:2])],
        idle_timeout=61 if changed else 60,
        drop_invalid_header_fields=True,
        tags=TAGS,
    )
    blue, green = (
        aws.lb.TargetGroup(
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
        for color in ("blue", "green")
    )
    listener = aws.lb.Listener(
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
    weights = {"blue": 70, "green": 30} if changed else {"blue": 100, "green": 0}
    groups = {"blue": blue, "green": green}
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
    test = aws.lb.ListenerRule(
        "test",
        listener_arn=listener.arn,
        priority=1,
        conditions=[{"http_header": {"http_header_name": "bluegreen-color", "values": ["blue"]}}],
        actions=[{"type": "forward", "target_group_arn": (green if changed else blue).arn}],
    )
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
    pulumi.export("weights", rule.actions[0].forward.target_groups.apply(lambda ts: [t.weight for t in ts]))
    return blue, [rule, test]


def containers(
    role: aws.iam.Role,
    balanced: tuple[aws.lb.TargetGroup, list[aws.lb.ListenerRule]],
    subnets: list[aws.ec2.Subnet],
    firewall: aws.ec2.SecurityGroup,
) -> None:
    group, rules = balanced
    cluster = aws.ecs.Cluster(
        "cluster",
        name="conformance",
        settings=[{"name": "containerInsights", "value": "disabled" if changed else "enabled"}],
        tags=TAGS,
    )
    definitions = [
        {
            "name": "app",
            "image": "app:3" if replaced else "app:1",
            "environment": [{"name": "B", "value": "1"}, {"name": "A", "value": "2"}],
            "portMappings": [{"containerPort": 8080}],
        }
    ]
    task = aws.ecs.TaskDefinition(
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


def observing() -> None:
    aws.cloudwatch.LogGroup(
        "logs",
        name="/conformance/3" if replaced else "/conformance/1",
        retention_in_days=7 if changed else 3,
        tags=TAGS,
    )
    aws.cloudwatch.MetricAlarm(
        "alarm",
        name="conformance-3" if replaced else "conformance",
        alarm_description="two" if changed else "one",
        comparison_operator="GreaterThanThreshold",
        evaluation_periods=2 if changed else 1,
        threshold=5,
        namespace="AWS/ApplicationELB",
        metric_name="HTTPCode_Target_5XX_Count",
        dimensions={"LoadBalancer": "app/x/1"},
        period=60,
        statistic="Sum",
        treat_missing_data="notBreaching",
        tags=TAGS,
    )
    aws.cloudwatch.MetricAlarm(
        "ratio",
        name="conformance-ratio",
        comparison_operator="GreaterThanThreshold",
        evaluation_periods=1,
        threshold=0.5 if changed else 0.25,
        metric_queries=[
            {"id": "e", "expression": "a/b", "label": "ratio", "return_data": True},
            *(
                {
                    "id": name,
                    "metric": {
                        "metric_name": metric,
                        "namespace": "AWS/ApplicationELB",
                        "period": 60,
                        "stat": "Sum",
                        "dimensions": {"LoadBalancer": "app/x/1"},
                    },
                }
                for name, metric in (("a", "HTTPCode_Target_5XX_Count"), ("b", "RequestCount"))
            ),
        ],
    )


def throw_away() -> None:
    """What cannot be replaced without everything in it."""
    vpc = aws.ec2.Vpc("v2", cidr_block="10.2.0.0/16" if replaced else "10.1.0.0/16")
    aws.ec2.DefaultSecurityGroup("dsg2", vpc_id=vpc.id, ingress=[], egress=[])
    aws.ec2.RouteTable("rt3", vpc_id=vpc.id)
    aws.ecs.Cluster("cluster2", name="conformance-3" if replaced else "conformance-2")


vpc_, subnets_, firewall_ = network()
throw_away()
database(subnets_)
role_ = security()
containers(role_, balancing(vpc_, subnets_), subnets_, firewall_)
observing()
pulumi.export("account", aws.get_caller_identity().account_id)
pulumi.export("region", aws.get_region().region)
pulumi.export("zones", aws.get_availability_zones(state="available").names)
pulumi.export("user", aws.ecr.get_authorization_token().user_name)
