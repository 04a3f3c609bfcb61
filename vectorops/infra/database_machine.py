"""The machine that AWS runs the vector database on."""

from typing import Any

from vectorops.database.machine import Machine, acu_machine, instance_machine

_SERVERLESS = "db.serverless"


def database_machine(rds_client: Any, identifier: str, instance_class: str) -> Machine | None:
    """Return the machine of the RDS instance `identifier`, or None where its class tells nothing.

    An instance of Aurora Serverless v2 counts with the most that it may grow to.

    Args:
        rds_client: RDS client.
        identifier: Of the instance.
        instance_class: What Terraform deployed, for one who may not ask AWS.
    """
    from botocore.exceptions import ClientError

    try:
        answer = rds_client.describe_db_instances(DBInstanceIdentifier=identifier)
        instance = answer["DBInstances"][0]
        instance_class = instance["DBInstanceClass"]
        if instance_class == _SERVERLESS:
            return _serverless_machine(rds_client, instance["DBClusterIdentifier"])
    except ClientError as exc:
        if "AccessDenied" not in exc.response["Error"]["Code"]:
            raise
    return instance_machine(instance_class)


def _serverless_machine(rds_client: Any, cluster: str) -> Machine | None:
    answer = rds_client.describe_db_clusters(DBClusterIdentifier=cluster)
    scaling = answer["DBClusters"][0].get("ServerlessV2ScalingConfiguration", {})
    return acu_machine(scaling["MaxCapacity"]) if scaling.get("MaxCapacity") else None
