"""The database: private, encrypted, kept; and a password that nobody chooses and no run changes."""

import json
from dataclasses import fields

import pytest

from infra.database import Database, DatabaseArgs
from tests.unit.program import run_part
from tests.unit.recording import Recording

INSTANCE, PARAMETERS = "aws:rds/instance:Instance", "aws:rds/parameterGroup:ParameterGroup"
# The parameters that may be set, and how RDS takes each (RDS user guide, "Working with parameters").
APPLY_METHODS = {
    "log_lock_waits": "immediate",
    "rds.force_ssl": "immediate",
    "track_commit_timestamp": "pending-reboot",
}


def database(**changes: object) -> Recording:
    usual = {
        "prefix": "bluegreen-test",
        "subnet_ids": ["subnet-1", "subnet-2"],
        "security_group_id": "sg-1",
        "instance_class": "db.t4g.micro",
        "version": 17,
        "storage_gib": 20,
        "multi_az": True,
        "backup_days": 7,
        "require_tls": True,
        "protect": True,
    }
    return run_part(lambda: Database("database", DatabaseArgs(**{**usual, **changes})))


@pytest.fixture(scope="module")
def recording() -> Recording:
    return database()


def test_the_database_is_private_and_encrypted(recording: Recording) -> None:
    inputs = recording.one(INSTANCE).inputs
    assert inputs["publiclyAccessible"] is False
    assert inputs["storageEncrypted"] is True
    assert inputs["vpcSecurityGroupIds"] == ["sg-1"]
    assert recording.one("aws:rds/subnetGroup:SubnetGroup").inputs["subnetIds"] == ["subnet-1", "subnet-2"]


def test_the_owner_password_is_made_and_rotated_by_rds(recording: Recording) -> None:
    inputs = recording.one(INSTANCE).inputs
    assert inputs["manageMasterUserPassword"] is True
    assert "password" not in inputs
    assert inputs["username"] not in ("postgres", "admin")


def test_minor_upgrades_by_rds_are_no_drift(recording: Recording) -> None:
    inputs = recording.one(INSTANCE).inputs
    assert (inputs["engine"], inputs["engineVersion"], inputs["autoMinorVersionUpgrade"]) == ("postgres", "17", True)
    assert recording.one(PARAMETERS).inputs["family"] == "postgres17"


def test_a_kept_database_leaves_a_snapshot_and_a_throw_away_one_does_not() -> None:
    kept, thrown = database().one(INSTANCE), database(protect=False).one(INSTANCE)
    assert kept.inputs["finalSnapshotIdentifier"] == "bluegreen-test-final"
    assert (kept.inputs["skipFinalSnapshot"], kept.inputs["deletionProtection"], kept.protect) == (False, True, True)
    assert "finalSnapshotIdentifier" not in thrown.inputs
    assert (thrown.inputs["skipFinalSnapshot"], thrown.inputs["deletionProtection"], thrown.protect) == (
        True,
        False,
        False,
    )


@pytest.mark.parametrize(("require_tls", "value"), [(True, "1"), (False, "0")])
def test_tls_is_forced_unless_clients_are_told_not_to_use_it(require_tls: bool, value: str) -> None:
    parameters = {each["name"]: each for each in database(require_tls=require_tls).one(PARAMETERS).inputs["parameters"]}
    assert parameters["rds.force_ssl"]["value"] == value


def test_every_parameter_is_applied_in_the_way_that_rds_takes(recording: Recording) -> None:
    parameters = recording.one(PARAMETERS).inputs["parameters"]
    assert {each["name"]: each["applyMethod"] for each in parameters} == APPLY_METHODS
    # RDS answers them sorted; another order would be a change on every run.
    assert [each["name"] for each in parameters] == sorted(APPLY_METHODS)


def test_the_application_has_a_user_of_its_own_with_a_random_password(recording: Recording) -> None:
    version = recording.one("aws:secretsmanager/secretVersion:SecretVersion")
    assert json.loads(version.inputs["secretString"]) == {"username": "bluegreen_app", "password": "not-so-random"}
    assert version.secrets == {"secretString"}
    assert version.ignore_changes == ("secretString",)
    assert recording.one("aws:secretsmanager/secret:Secret").inputs["name"] == "bluegreen-test/app-db"


def test_no_argument_takes_a_password() -> None:
    assert not [each.name for each in fields(DatabaseArgs) if "password" in each.name]
