"""RDS instances in tests."""

import json
import time
from typing import Any

from vectorops.aws import Aws
from vectorops.database.connection import DatabaseAddress

MANAGED = {
    "Engine": "postgres",
    "DBInstanceClass": "db.t4g.micro",
    "AllocatedStorage": 20,
    "MasterUsername": "operator",
    "ManageMasterUserPassword": True,
    "DBName": "vectors",
}


def create_instance(aws: Aws, name: str, **arguments: Any) -> dict[str, Any]:
    """Create an instance and return its description when it is available."""
    aws.client("rds").create_db_instance(DBInstanceIdentifier=name, **{**MANAGED, **arguments})
    return wait_for(aws, name, "available")


def wait_for(aws: Aws, name: str, status: str) -> dict[str, Any]:
    while (found := describe(aws, name))["DBInstanceStatus"] != status:
        assert found["DBInstanceStatus"] != "failed" or status == "failed"
        time.sleep(0.05)
    return found


def describe(aws: Aws, name: str) -> dict[str, Any]:
    found: dict[str, Any] = aws.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][
        0
    ]
    return found


def delete_instance(aws: Aws, name: str) -> None:
    aws.client("rds").delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def address_of(aws: Aws, instance: dict[str, Any]) -> DatabaseAddress:
    """Return how to enter an instance, with the login from its managed secret."""
    arn = instance["MasterUserSecret"]["SecretArn"]
    secret = json.loads(aws.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    endpoint = instance["Endpoint"]
    return DatabaseAddress(
        endpoint["Address"],
        endpoint["Port"],
        instance["DBName"],
        secret["username"],
        secret["password"],
        sslmode="disable",
    )
