"""Secrets, keys and roles (services Secrets Manager, KMS, IAM)."""

from local.plugins.aws.codec import JSON, Codec, Time
from local.plugins.aws.model import Call, Look, Type, fixed, local, plain
from local.plugins.aws.types import tagging

SECRET = Type(
    kind="aws:secretsmanager/secret:Secret",
    service="secretsmanager",
    properties={
        "name": fixed("Name"),
        "description": plain("Description", absent=""),
        "kmsKeyId": plain("KmsKeyId", computed=True),
        "recoveryWindowInDays": local(default=30),
        "forceOverwriteReplicaSecret": local(default=False),
    },
    outputs={"arn": "ARN"},
    id="ARN",
    create=Call(operation="create_secret", sends="name description kmsKeyId"),
    read=Look(operation="describe_secret", params={"SecretId": "{id}"}),
    update=(Call(operation="update_secret", sends="description kmsKeyId", params={"SecretId": "{id}"}),),
    delete=(
        Call(
            operation="delete_secret",
            params={"SecretId": "{id}", "RecoveryWindowInDays": "{recoveryWindowInDays}"},
            when="{recoveryWindowInDays}",
        ),
        Call(
            operation="delete_secret",
            params={"SecretId": "{id}", "ForceDeleteWithoutRecovery": True},
            unless="{recoveryWindowInDays}",
        ),
    ),
    gone=("ResourceNotFoundException",),
    gone_when=("DeletedDate != `null`", (True,)),
    name="name",
    name_length=512,
    tags=tagging.SECRET,
)

SECRET_VERSION = Type(
    kind="aws:secretsmanager/secretVersion:SecretVersion",
    service="secretsmanager",
    properties={
        "secretId": fixed("SecretId", read="ARN"),
        # A value is never changed: another one is another version, and the old version stays as AWSPREVIOUS.
        "secretString": fixed("SecretString"),
        "versionStages": fixed("VersionStages", computed=True),
    },
    outputs={"arn": "ARN", "secretArn": "ARN", "versionId": "VersionId"},
    id="join('|', [ARN, VersionId])",
    create=Call(operation="put_secret_value", sends="secretId secretString versionStages"),
    read=Look(operation="get_secret_value", params={"SecretId": "{secretId|id.0}", "VersionId": "{id.1}"}),
    # Versions end with their secret; AWS has no call that deletes one.
    delete=(),
    gone=("ResourceNotFoundException", "InvalidRequestException"),
)


class KeyReference(Codec):
    """A key by id or by ARN."""

    def same(self, one: object, other: object) -> bool:
        return str(one).rsplit("/", 1)[-1] == str(other).rsplit("/", 1)[-1]


KEY = Type(
    kind="aws:kms/key:Key",
    service="kms",
    properties={
        "description": plain("Description", absent=""),
        "keyUsage": fixed("KeyUsage", default="ENCRYPT_DECRYPT"),
        "customerMasterKeySpec": fixed("KeySpec", default="SYMMETRIC_DEFAULT"),
        "multiRegion": fixed("MultiRegion", computed=True),
        "policy": plain("Policy", JSON, computed=True),
        "enableKeyRotation": plain("KeyRotationEnabled", default=False),
        "isEnabled": plain("Enabled", default=True),
        "deletionWindowInDays": local(default=30),
    },
    outputs={"arn": "Arn", "keyId": "KeyId"},
    id="KeyMetadata.KeyId",
    create=Call(operation="create_key", sends="description keyUsage customerMasterKeySpec multiRegion policy"),
    read=Look(operation="describe_key", params={"KeyId": "{id}"}, path="KeyMetadata"),
    looks=(
        Look(
            operation="get_key_rotation_status",
            params={"KeyId": "{id}"},
            gives={"enableKeyRotation": "KeyRotationEnabled"},
        ),
        Look(operation="get_key_policy", params={"KeyId": "{id}", "PolicyName": "default"}, gives={"policy": "Policy"}),
    ),
    update=(
        Call(operation="update_key_description", sends="description", params={"KeyId": "{id}"}),
        Call(
            operation="put_key_policy",
            sends="policy",
            params={"KeyId": "{id}", "PolicyName": "default"},
        ),
        Call(operation="enable_key", params={"KeyId": "{id}"}, on="isEnabled", when="{isEnabled}"),
        Call(
            operation="enable_key_rotation",
            params={"KeyId": "{id}"},
            on="enableKeyRotation",
            when="{enableKeyRotation}",
        ),
        Call(
            operation="disable_key_rotation",
            params={"KeyId": "{id}"},
            on="enableKeyRotation",
            unless="{enableKeyRotation}",
        ),
        Call(operation="disable_key", params={"KeyId": "{id}"}, on="isEnabled", unless="{isEnabled}"),
    ),
    delete=(
        Call(
            operation="schedule_key_deletion",
            params={"KeyId": "{id}", "PendingWindowInDays": "{deletionWindowInDays}"},
        ),
    ),
    gone=("NotFoundException",),
    gone_when=("KeyState", ("PendingDeletion",)),
    tags=tagging.KMS,
)

ALIAS = Type(
    kind="aws:kms/alias:Alias",
    service="kms",
    properties={
        "name": fixed("AliasName"),
        "targetKeyId": plain("TargetKeyId", KeyReference()),
    },
    outputs={"arn": "AliasArn"},
    id="{name}",
    create=Call(operation="create_alias", sends="name targetKeyId"),
    read=Look(operation="list_aliases", path="Aliases[?AliasName=='{name|id}'] | [0]"),
    update=(Call(operation="update_alias", sends="targetKeyId", params={"AliasName": "{id}"}),),
    delete=(Call(operation="delete_alias", params={"AliasName": "{id}"}),),
    gone=("NotFoundException",),
    name="name",
    name_prefix="alias/",
)

ROLE = Type(
    kind="aws:iam/role:Role",
    service="iam",
    properties={
        "name": fixed("RoleName"),
        "path": fixed("Path", default="/"),
        "assumeRolePolicy": plain("AssumeRolePolicyDocument", JSON),
        "description": plain("Description", absent=""),
        "maxSessionDuration": plain("MaxSessionDuration", default=3600),
        "permissionsBoundary": plain(
            "PermissionsBoundary", read="PermissionsBoundary.PermissionsBoundaryArn", absent=None
        ),
        "forceDetachPolicies": local(default=False),
    },
    outputs={"arn": "Arn", "uniqueId": "RoleId", "createDate": ("CreateDate", Time())},
    id="{name}",
    create=Call(
        operation="create_role", sends="name path assumeRolePolicy description maxSessionDuration permissionsBoundary"
    ),
    read=Look(operation="get_role", params={"RoleName": "{name|id}"}, path="Role"),
    update=(
        Call(
            operation="update_assume_role_policy",
            params={"RoleName": "{id}", "PolicyDocument": "{assumeRolePolicy}"},
        ),
        # AWS takes a duration that is left out for its default.
        Call(operation="update_role", sends="description maxSessionDuration", params={"RoleName": "{id}"}, whole=True),
        Call(
            operation="put_role_permissions_boundary",
            params={"RoleName": "{id}", "PermissionsBoundary": "{permissionsBoundary}"},
            when="{permissionsBoundary}",
        ),
        Call(
            operation="delete_role_permissions_boundary",
            params={"RoleName": "{id}"},
            on="permissionsBoundary",
            unless="{permissionsBoundary}",
        ),
    ),
    delete=(Call(operation="delete_role", params={"RoleName": "{id}"}),),
    gone=("NoSuchEntity",),
    name="name",
    name_length=64,
    tags=tagging.ROLE,
)

ROLE_POLICY = Type(
    kind="aws:iam/rolePolicy:RolePolicy",
    service="iam",
    properties={
        "role": fixed("RoleName"),
        "name": fixed("PolicyName"),
        "policy": plain("PolicyDocument", JSON),
    },
    id="{role}:{name}",
    create=Call(operation="put_role_policy", sends="role name policy"),
    read=Look(operation="get_role_policy", params={"RoleName": "{role|id.0}", "PolicyName": "{name|id.1}"}),
    update=(Call(operation="put_role_policy", sends="role name policy", whole=True),),
    delete=(Call(operation="delete_role_policy", params={"RoleName": "{role}", "PolicyName": "{name}"}),),
    gone=("NoSuchEntity",),
    name="name",
    name_length=128,
    unique=("role", "name"),
)

ROLE_POLICY_ATTACHMENT = Type(
    kind="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    service="iam",
    properties={
        "role": fixed("RoleName", read=""),
        "policyArn": fixed("PolicyArn"),
    },
    id="{role}/{policyArn}",
    create=Call(operation="attach_role_policy", sends="role policyArn"),
    read=Look(
        operation="list_attached_role_policies",
        params={"RoleName": "{role}"},
        path="AttachedPolicies[?PolicyArn=='{policyArn}'] | [0]",
    ),
    delete=(Call(operation="detach_role_policy", params={"RoleName": "{role}", "PolicyArn": "{policyArn}"}),),
    gone=("NoSuchEntity",),
)

TYPES = (SECRET, SECRET_VERSION, KEY, ALIAS, ROLE, ROLE_POLICY, ROLE_POLICY_ATTACHMENT)
