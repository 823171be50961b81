"""PostgreSQL on RDS, and the application's own user.

The owner's password is made, kept and rotated by RDS. The application never uses it: rotation would cut off running
tasks.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

DATABASE_PORT = 5432
DATABASE_NAME = "app"
OWNER = "bluegreen_owner"
APP_USER = "bluegreen_app"
DYNAMIC, STATIC = "immediate", "pending-reboot"  # what RDS calls it


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """`prefix` begins every name. `version` is the major version; storage is in GiB.

    protect: refuses deletion by Pulumi and by RDS, keeps a final snapshot, and lets a deleted secret be restored.
    require_tls: refuses connections in plain text.
    """

    prefix: str
    subnet_ids: list[pulumi.Output[str]]
    security_group_id: pulumi.Input[str]
    instance_class: str
    version: int
    storage_gib: int
    multi_az: bool
    backup_days: int
    require_tls: bool
    protect: bool


class Database(pulumi.ComponentResource):
    """`bluegreen:infra:Database`: subnet group, parameter group, instance, and the application user's secret.

    Outputs: host, port, name, owner_secret_arn (JSON keys username, password), app_secret_arn (the same keys), and
    identity, which changes when the database or the application's password becomes another one.
    """

    instance: aws.rds.Instance
    app_secret: aws.secretsmanager.Secret
    host: pulumi.Output[str]
    owner_secret_arn: pulumi.Output[str]
    app_secret_arn: pulumi.Output[str]
    identity: pulumi.Output[str]

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:Database", name, {}, opts)
        self._name = name
        self._args = args
        self.instance = self._instance()
        self.app_secret = self._app_secret()
        version = self._app_password()
        self.host = self.instance.address
        self.owner_secret_arn = self.instance.master_user_secrets[0].secret_arn
        # Through the version: whoever uses the ARN must not start before there is a value behind it.
        self.app_secret_arn = version.secret_arn
        self.identity = pulumi.Output.concat(self.instance.resource_id, "/", version.version_id)
        self.register_outputs({"host": self.host, "appSecretArn": self.app_secret_arn})

    def _instance(self) -> aws.rds.Instance:
        args = self._args
        subnets = aws.rds.SubnetGroup(
            self._name,
            description="Isolated subnets",
            subnet_ids=args.subnet_ids,
            opts=pulumi.ResourceOptions(parent=self),
        )
        parameters = self._parameters()
        return aws.rds.Instance(
            self._name,
            identifier=args.prefix,
            engine="postgres",
            # The major version alone: RDS upgrades minor ones by itself, and an exact one would become a downgrade.
            engine_version=str(args.version),
            auto_minor_version_upgrade=True,
            instance_class=args.instance_class,
            allocated_storage=args.storage_gib,
            storage_type="gp3",
            storage_encrypted=True,
            db_name=DATABASE_NAME,
            port=DATABASE_PORT,
            username=OWNER,
            manage_master_user_password=True,
            iam_database_authentication_enabled=True,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[args.security_group_id],
            publicly_accessible=False,
            parameter_group_name=parameters.name,
            multi_az=args.multi_az,
            backup_retention_period=args.backup_days,
            copy_tags_to_snapshot=True,
            enabled_cloudwatch_logs_exports=["postgresql", "upgrade"],
            deletion_protection=args.protect,
            skip_final_snapshot=not args.protect,
            final_snapshot_identifier=f"{args.prefix}-final" if args.protect else None,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )

    def _parameters(self) -> aws.rds.ParameterGroup:
        force_ssl = "1" if self._args.require_tls else "0"
        return aws.rds.ParameterGroup(
            self._name,
            description="Connections in TLS only; waits for locks are logged",
            family=f"postgres{self._args.version}",
            parameters=[
                {"name": "log_lock_waits", "value": "1", "apply_method": DYNAMIC},
                {"name": "rds.force_ssl", "value": force_ssl, "apply_method": DYNAMIC},
                # Without it nobody can tell when a column that a contract would remove was last written.
                {"name": "track_commit_timestamp", "value": "1", "apply_method": STATIC},
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _app_secret(self) -> aws.secretsmanager.Secret:
        return aws.secretsmanager.Secret(
            f"{self._name}-app",
            name=f"{self._args.prefix}/app-db",
            description="The application's database user",
            recovery_window_in_days=7 if self._args.protect else 0,
            opts=pulumi.ResourceOptions(parent=self, protect=self._args.protect),
        )

    def _app_password(self) -> aws.secretsmanager.SecretVersion:
        password = aws.secretsmanager.get_random_password_output(
            password_length=40, exclude_punctuation=True, opts=pulumi.InvokeOptions(parent=self)
        )
        login = {"username": APP_USER, "password": pulumi.Output.secret(password.random_password)}
        return aws.secretsmanager.SecretVersion(
            f"{self._name}-app",
            secret_id=self.app_secret.id,
            secret_string=pulumi.Output.json_dumps(login, sort_keys=True),
            # The password is made once: each run asks for a random one, and only the first is kept.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["secretString"]),
        )
