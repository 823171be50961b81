"""RDS through its public door: boto3 over HTTP, and a real PostgreSQL behind the endpoint that is answered."""

import psycopg
import pytest
from botocore.exceptions import ClientError

from tests.support.embedded_rds import scalar

pytestmark = pytest.mark.slow


def test_it_is_created_used_and_deleted(rds):
    created = rds.create("life")
    assert created["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in created
    assert created["MasterUserSecret"]["SecretArn"].startswith(
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-"
    )
    found = rds.available("life")
    assert found["Endpoint"]["Port"] == 5432
    assert found["Endpoint"]["Address"].startswith("127.66.0.")
    assert set(rds.secret("life")) == {"username", "password"}
    with rds.connect("life") as connection:
        assert scalar(connection, "SHOW server_version") == found["EngineVersion"]
        assert scalar(connection, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'app'") == "owner"
    rds.delete("life")
    with pytest.raises(ClientError, match="DBInstanceNotFound"):
        rds.describe("life")
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(host=found["Endpoint"]["Address"], port=5432, user="owner", password="x", connect_timeout=30)


def test_the_master_user_may_much_and_is_no_superuser(rds, database):
    with rds.connect(database) as connection:
        assert scalar(connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        connection.execute("CREATE ROLE rights_app LOGIN PASSWORD 'secret-word'")
        connection.execute("CREATE TABLE rights (n int); GRANT SELECT ON rights TO rights_app")
        assert scalar(connection, "SELECT count(*) FROM pg_stat_activity WHERE query IS NULL") == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("COPY rights FROM PROGRAM 'true'")
        with rds.connect(database, user="rights_app", password="secret-word") as other:
            sleeper = scalar(other, "SELECT pg_backend_pid()")
            assert scalar(connection, f"SELECT pg_terminate_backend({sleeper})") is True
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        rds.connect(database, user="owner", password="wrong")


def test_a_given_password_can_be_changed(rds):
    rds.create("plain", ManageMasterUserPassword=False, MasterUserPassword="first-secret")
    assert "MasterUserSecret" not in rds.available("plain")
    rds.connect("plain", user="owner", password="first-secret").close()
    rds.api.modify_db_instance(DBInstanceIdentifier="plain", MasterUserPassword="other-secret", ApplyImmediately=True)
    rds.available("plain")
    rds.connect("plain", user="owner", password="other-secret").close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        rds.connect("plain", user="owner", password="first-secret")
    rds.delete("plain")


@pytest.mark.parametrize("how", ["modify", "rotate"])
def test_a_managed_password_rotates_in_the_secret_and_the_database(rds, database, how):
    before = rds.secret(database)
    if how == "modify":
        rds.api.modify_db_instance(DBInstanceIdentifier=database, RotateMasterUserPassword=True, ApplyImmediately=True)
    else:
        rds.secrets.rotate_secret(SecretId=rds.describe(database)["MasterUserSecret"]["SecretArn"])
    rds.available(database)
    assert rds.secret(database) != before
    rds.connect(database).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        rds.connect(database, user=before["username"], password=before["password"])


def test_parameters_apply_at_once_or_at_a_reboot(rds):
    rds.api.create_db_parameter_group(
        DBParameterGroupName="tuned", DBParameterGroupFamily="postgres18", Description="of the tests"
    )

    def change(name, value, method):
        one = {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}
        rds.api.modify_db_parameter_group(DBParameterGroupName="tuned", Parameters=[one])

    change("work_mem", "5120", "immediate")
    change("rds.force_ssl", "0", "immediate")
    rds.create("tuned", DBParameterGroupName="tuned")
    rds.available("tuned")
    with rds.connect("tuned") as connection:
        assert scalar(connection, "SHOW work_mem") == "5MB"
    change("max_connections", "61", "pending-reboot")
    groups = rds.describe("tuned")["DBParameterGroups"]
    assert groups == [{"DBParameterGroupName": "tuned", "ParameterApplyStatus": "pending-reboot"}]
    with rds.connect("tuned") as connection:
        assert scalar(connection, "SHOW max_connections") == "200"
    rds.api.reboot_db_instance(DBInstanceIdentifier="tuned")
    rds.available("tuned")
    with rds.connect("tuned") as connection:
        assert scalar(connection, "SHOW max_connections") == "61"
    assert rds.describe("tuned")["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    with pytest.raises(ClientError, match="InvalidDBParameterGroupState"):
        rds.api.delete_db_parameter_group(DBParameterGroupName="tuned")
    with pytest.raises(ClientError, match="immediate apply method for static parameter: max_connections"):
        change("max_connections", "62", "immediate")
    with pytest.raises(ClientError, match="Could not find parameter with name: max_conections"):
        change("max_conections", "62", "pending-reboot")
    listed = rds.api.describe_db_parameters(DBParameterGroupName="tuned", Source="user")["Parameters"]
    assert {one["ParameterName"]: one["Source"] for one in listed} == {
        "work_mem": "user",
        "rds.force_ssl": "user",
        "max_connections": "user",
    }
    rds.api.reset_db_parameter_group(
        DBParameterGroupName="tuned", Parameters=[{"ParameterName": "work_mem", "ApplyMethod": "immediate"}]
    )
    names = {one["ParameterName"] for one in rds.api.describe_db_parameters(DBParameterGroupName="tuned")["Parameters"]}
    assert names == {"rds.force_ssl", "max_connections"}
    rds.delete("tuned")
    rds.api.delete_db_parameter_group(DBParameterGroupName="tuned")


def test_it_stops_and_starts_and_keeps_its_data(rds):
    rds.create("sleepy")
    rds.available("sleepy")
    with rds.connect("sleepy") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    rds.api.stop_db_instance(DBInstanceIdentifier="sleepy")
    with pytest.raises(ClientError, match="InvalidDBInstanceState"):
        rds.api.reboot_db_instance(DBInstanceIdentifier="sleepy")
    rds.embedded.database("sleepy", "stopped")
    with pytest.raises(psycopg.OperationalError, match="refused"):
        rds.connect("sleepy")
    rds.api.start_db_instance(DBInstanceIdentifier="sleepy")
    rds.available("sleepy")
    with rds.connect("sleepy") as connection:
        assert scalar(connection, "SELECT n FROM kept") == 7
    rds.delete("sleepy")


def test_protection_and_final_snapshots_as_on_rds(rds):
    rds.create("kept", DeletionProtection=True)
    rds.available("kept")
    with pytest.raises(ClientError, match="protected"):
        rds.api.delete_db_instance(DBInstanceIdentifier="kept", SkipFinalSnapshot=True)
    rds.api.modify_db_instance(DBInstanceIdentifier="kept", DeletionProtection=False, ApplyImmediately=True)
    with pytest.raises(ClientError, match="FinalDBSnapshotIdentifier is required"):
        rds.api.delete_db_instance(DBInstanceIdentifier="kept")
    with pytest.raises(ClientError, match="FinalDBSnapshotIdentifier can not be specified"):
        rds.api.delete_db_instance(
            DBInstanceIdentifier="kept", SkipFinalSnapshot=True, FinalDBSnapshotIdentifier="kept-final"
        )
    answer = rds.api.delete_db_instance(DBInstanceIdentifier="kept", FinalDBSnapshotIdentifier="kept-final")
    assert answer["DBInstance"]["DBInstanceStatus"] == "deleting"
    rds.embedded.database("kept", "deleted")
    found = rds.api.describe_db_snapshots(DBSnapshotIdentifier="kept-final")["DBSnapshots"]
    assert [one["DBInstanceIdentifier"] for one in found] == ["kept"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Engine": "mysql"}, "InvalidParameterValue"),
        ({"EngineVersion": "99"}, "InvalidParameterCombination"),
        ({"EngineVersion": "latest"}, "InvalidParameterCombination"),
        ({"DBInstanceClass": "t4g.micro"}, "InvalidParameterValue"),
        ({"AllocatedStorage": 1}, "InvalidParameterValue"),
        ({"Port": 80}, "InvalidParameterValue"),
        ({"MasterUsername": "rdsadmin"}, "InvalidParameterValue"),
        ({"MasterUsername": "1st"}, "InvalidParameterValue"),
        ({"DBName": "my-app"}, "InvalidParameterValue"),
        ({"MasterUserPassword": "long-enough"}, "InvalidParameterCombination"),
        ({"ManageMasterUserPassword": False}, "MissingParameter"),
        ({"ManageMasterUserPassword": False, "MasterUserPassword": "short"}, "InvalidParameterValue"),
        ({"ManageMasterUserPassword": False, "MasterUserPassword": "with space in it"}, "InvalidParameterValue"),
        ({"VpcSecurityGroupIds": ["sg-00000000000000000"]}, "InvalidParameterValue"),
        ({"DBSubnetGroupName": "nowhere"}, "DBSubnetGroupNotFoundFault"),
        ({"DBParameterGroupName": "nothing"}, "DBParameterGroupNotFound"),
        ({"DBParameterGroupName": "older"}, "InvalidParameterCombination"),
    ],
)
def test_what_rds_refuses_is_refused_and_makes_nothing(rds, change, code):
    if change.get("DBParameterGroupName") == "older":
        rds.api.create_db_parameter_group(
            DBParameterGroupName="older", DBParameterGroupFamily="postgres16", Description="of another version"
        )
    with pytest.raises(ClientError) as refused:
        rds.create("never", **change)
    assert refused.value.response["Error"]["Code"] == code
    assert "never" not in names(rds)


@pytest.mark.parametrize(("asked", "answered"), [("16", "16."), ("17", "17."), ("18", "18."), ("16.3", "16.3")])
def test_the_major_version_that_was_asked_for(rds, asked, answered):
    """A major version that is not at hand is served by the next one."""
    rds.create("old", EngineVersion=asked)
    assert rds.available("old")["EngineVersion"].startswith(answered)
    with rds.connect("old") as connection:
        assert int(scalar(connection, "SHOW server_version_num")) // 10000 >= int(asked.split(".")[0])
    rds.delete("old")


def test_what_is_not_there_is_refused_and_not_pretended(rds):
    with pytest.raises(ClientError, match="does not have rds:CreateDBCluster"):
        rds.api.create_db_cluster(DBClusterIdentifier="c", Engine="aurora-postgresql")


def names(rds):
    return [one["DBInstanceIdentifier"] for one in rds.api.describe_db_instances()["DBInstances"]]
