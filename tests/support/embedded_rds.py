"""The databases of one embedded AWS, as clients of RDS see them."""

import json

import psycopg

from local import lifecycle


class Rds:
    """Databases of one embedded AWS."""

    def __init__(self, embedded):
        self.embedded = embedded
        self.api = embedded.client("rds")
        self.secrets = embedded.client("secretsmanager")
        self.endpoint = embedded.control["endpoint"]

    def create(self, identifier, **more):
        settings = {
            "Engine": "postgres",
            "DBInstanceClass": "db.t4g.micro",
            "AllocatedStorage": 20,
            "MasterUsername": "owner",
            "ManageMasterUserPassword": True,
            "DBName": "app",
        }
        return self.api.create_db_instance(DBInstanceIdentifier=identifier, **{**settings, **more})["DBInstance"]

    def describe(self, identifier):
        return self.api.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]

    def available(self, identifier):
        return self.embedded.database(identifier)

    def secret(self, identifier):
        arn = self.describe(identifier)["MasterUserSecret"]["SecretArn"]
        return json.loads(self.secrets.get_secret_value(SecretId=arn)["SecretString"])

    def connect(self, identifier, **login):
        endpoint = self.describe(identifier)["Endpoint"]
        login = login or {"user": self.secret(identifier)["username"], "password": self.secret(identifier)["password"]}
        return psycopg.connect(
            host=endpoint["Address"], port=endpoint["Port"], dbname="app", autocommit=True, connect_timeout=30, **login
        )

    def delete(self, identifier):
        self.api.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)
        self.embedded.database(identifier, "deleted")

    def fault(self, **wanted):
        return lifecycle.ask(self.endpoint, "POST", "databases", wanted)["done"]


def scalar(connection, sql):
    return connection.execute(sql).fetchone()[0]
