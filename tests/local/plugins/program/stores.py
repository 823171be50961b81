"""Database, secrets, keys, roles, logs and alarms."""

import json

import pulumi
import pulumi_aws as aws
from steps import TAGS, changed, replaced, step

JSON_ROLE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


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
