"""Databases (service RDS)."""

from local.plugins.aws.blocks import Block, Blocks, pascal
from local.plugins.aws.codec import SET, VersionPrefix
from local.plugins.aws.model import Call, Look, Type, Wait, fixed, local, plain
from local.plugins.aws.types import tagging

SUBNET_GROUP = Type(
    kind="aws:rds/subnetGroup:SubnetGroup",
    service="rds",
    properties={
        "name": fixed("DBSubnetGroupName"),
        "description": plain("DBSubnetGroupDescription", default="Managed by Pulumi"),
        "subnetIds": plain("SubnetIds", SET, read="Subnets[].SubnetIdentifier"),
    },
    outputs={"arn": "DBSubnetGroupArn", "vpcId": "VpcId", "supportedNetworkTypes": "SupportedNetworkTypes"},
    id="{name}",
    create=Call(operation="create_db_subnet_group", sends="name description subnetIds"),
    read=Look(
        operation="describe_db_subnet_groups", params={"DBSubnetGroupName": "{name|id}"}, path="DBSubnetGroups[0]"
    ),
    update=(
        Call(
            operation="modify_db_subnet_group",
            sends="description subnetIds",
            params={"DBSubnetGroupName": "{id}"},
            whole=True,
        ),
    ),
    delete=(Call(operation="delete_db_subnet_group", params={"DBSubnetGroupName": "{id}"}),),
    gone=("DBSubnetGroupNotFoundFault",),
    name="name",
    name_lower=True,
    tags=tagging.RDS,
)

PARAMETER_GROUP = Type(
    kind="aws:rds/parameterGroup:ParameterGroup",
    service="rds",
    properties={
        "name": fixed("DBParameterGroupName"),
        "family": fixed("DBParameterGroupFamily"),
        "description": fixed("Description", default="Managed by Pulumi"),
        "parameters": plain(
            "Parameters",
            Blocks(
                pascal("", name="ParameterName", value="ParameterValue", applyMethod="ApplyMethod"),
                ordered=False,
                key="ParameterName",
            ),
            absent=[],
        ),
        "skipDestroy": local(default=False),
    },
    outputs={"arn": "DBParameterGroupArn"},
    id="{name}",
    create=Call(operation="create_db_parameter_group", sends="name family description"),
    read=Look(
        operation="describe_db_parameter_groups",
        params={"DBParameterGroupName": "{name|id}"},
        path="DBParameterGroups[0]",
    ),
    looks=(
        Look(
            operation="describe_db_parameters",
            params={"DBParameterGroupName": "{name|id}", "Source": "user"},
            gives={"parameters": "Parameters"},
        ),
    ),
    update=(
        Call(
            operation="reset_db_parameter_group",
            params={"DBParameterGroupName": "{id}", "Parameters": "{-parameters}"},
            when="{-parameters}",
        ),
        Call(
            operation="modify_db_parameter_group",
            params={"DBParameterGroupName": "{id}", "Parameters": "{+parameters}"},
            when="{+parameters}",
        ),
    ),
    delete=(
        Call(operation="delete_db_parameter_group", params={"DBParameterGroupName": "{id}"}, unless="{skipDestroy}"),
    ),
    gone=("DBParameterGroupNotFound", "DBParameterGroupNotFoundFault"),
    name="name",
    name_lower=True,
    tags=tagging.RDS,
)

# Sent by create and by modify under the same name.
_CHANGEABLE = {
    "instanceClass": plain("DBInstanceClass"),
    "allocatedStorage": plain("AllocatedStorage", computed=True),
    "maxAllocatedStorage": plain("MaxAllocatedStorage", computed=True),
    "storageType": plain("StorageType", computed=True),
    "iops": plain("Iops", computed=True),
    "engineVersion": plain("EngineVersion", VersionPrefix(), computed=True),
    "autoMinorVersionUpgrade": plain("AutoMinorVersionUpgrade", default=True),
    "password": plain("MasterUserPassword", read="", absent=None),
    "manageMasterUserPassword": plain("ManageMasterUserPassword", read="", absent=False),
    "masterUserSecretKmsKeyId": plain("MasterUserSecretKmsKeyId", read="", computed=True),
    "dbSubnetGroupName": plain("DBSubnetGroupName", read="DBSubnetGroup.DBSubnetGroupName", computed=True),
    "vpcSecurityGroupIds": plain(
        "VpcSecurityGroupIds", SET, read="VpcSecurityGroups[].VpcSecurityGroupId", computed=True
    ),
    "publiclyAccessible": plain("PubliclyAccessible", default=False),
    "parameterGroupName": plain(
        "DBParameterGroupName", read="DBParameterGroups[0].DBParameterGroupName", computed=True
    ),
    "multiAz": plain("MultiAZ", computed=True),
    "backupRetentionPeriod": plain("BackupRetentionPeriod", computed=True),
    "backupWindow": plain("PreferredBackupWindow", computed=True),
    "maintenanceWindow": plain("PreferredMaintenanceWindow", computed=True),
    "copyTagsToSnapshot": plain("CopyTagsToSnapshot", default=False),
    "iamDatabaseAuthenticationEnabled": plain(
        "EnableIAMDatabaseAuthentication", read="IAMDatabaseAuthenticationEnabled", absent=False
    ),
    "monitoringInterval": plain("MonitoringInterval", default=0),
    "performanceInsightsEnabled": plain("EnablePerformanceInsights", read="PerformanceInsightsEnabled", default=False),
    "performanceInsightsRetentionPeriod": plain("PerformanceInsightsRetentionPeriod", computed=True),
    "deletionProtection": plain("DeletionProtection", absent=False),
    "caCertIdentifier": plain("CACertificateIdentifier", computed=True),
}

INSTANCE = Type(
    kind="aws:rds/instance:Instance",
    service="rds",
    properties={
        **_CHANGEABLE,
        "identifier": fixed("DBInstanceIdentifier"),
        "engine": fixed("Engine", computed=True),
        "dbName": fixed("DBName", computed=True),
        "username": fixed("MasterUsername", computed=True),
        "availabilityZone": fixed("AvailabilityZone", computed=True),
        "storageEncrypted": fixed("StorageEncrypted", default=False),
        "kmsKeyId": fixed("KmsKeyId", computed=True),
        "port": plain("Port", read="Endpoint.Port", computed=True),
        "enabledCloudwatchLogsExports": plain(
            "EnableCloudwatchLogsExports", SET, read="EnabledCloudwatchLogsExports", absent=[]
        ),
        "applyImmediately": local(),
        "allowMajorVersionUpgrade": local(),
        "skipFinalSnapshot": local(default=False),
        "finalSnapshotIdentifier": local(),
        "deleteAutomatedBackups": local(default=True),
    },
    outputs={
        "arn": "DBInstanceArn",
        "address": "Endpoint.Address",
        "hostedZoneId": "Endpoint.HostedZoneId",
        "status": "DBInstanceStatus",
        "resourceId": "DbiResourceId",
        "engineVersionActual": "EngineVersion",
        "masterUserSecrets": (
            "MasterUserSecret",
            Block(pascal("secretArn kmsKeyId secretStatus"), listed=True),
        ),
    },
    derived={"endpoint": "{address}:{port}"},
    id="DBInstance.DbiResourceId",
    create=Call(
        operation="create_db_instance",
        sends=" ".join(_CHANGEABLE) + " identifier engine dbName username availabilityZone storageEncrypted kmsKeyId"
        " port enabledCloudwatchLogsExports",
    ),
    created=Wait(
        path="DBInstanceStatus",
        until=("available", "storage-optimization"),
        failed=("failed", "incompatible-parameters", "incompatible-network", "insufficient-capacity", "storage-full"),
        seconds=3600,
    ),
    updated=Wait(
        path="DBInstanceStatus", until=("available", "storage-optimization"), failed=("failed",), seconds=3600
    ),
    read=Look(
        operation="describe_db_instances", params={"DBInstanceIdentifier": "{identifier|id}"}, path="DBInstances[0]"
    ),
    update=(
        Call(
            operation="modify_db_instance",
            sends=" ".join(_CHANGEABLE),
            params={
                "DBInstanceIdentifier": "{identifier}",
                "DBPortNumber": "{port}",
                "ApplyImmediately": "{applyImmediately}",
                "AllowMajorVersionUpgrade": "{allowMajorVersionUpgrade}",
                "CloudwatchLogsExportConfiguration": {
                    "EnableLogTypes": "{+enabledCloudwatchLogsExports}",
                    "DisableLogTypes": "{-enabledCloudwatchLogsExports}",
                },
            },
        ),
    ),
    delete=(
        Call(
            operation="delete_db_instance",
            params={
                "DBInstanceIdentifier": "{identifier}",
                "SkipFinalSnapshot": True,
                "DeleteAutomatedBackups": "{deleteAutomatedBackups}",
            },
            when="{skipFinalSnapshot}",
        ),
        Call(
            operation="delete_db_instance",
            params={
                "DBInstanceIdentifier": "{identifier}",
                "SkipFinalSnapshot": False,
                "FinalDBSnapshotIdentifier": "{finalSnapshotIdentifier}",
                "DeleteAutomatedBackups": "{deleteAutomatedBackups}",
            },
            unless="{skipFinalSnapshot}",
        ),
    ),
    deleted=Wait(path="DBInstanceStatus", until=(), seconds=3600),
    gone=("DBInstanceNotFound", "DBInstanceNotFoundFault"),
    name="identifier",
    name_length=63,
    name_lower=True,
    volatile=("engineVersionActual", "status"),
    tags=tagging.RDS,
)

TYPES = (SUBNET_GROUP, PARAMETER_GROUP, INSTANCE)
