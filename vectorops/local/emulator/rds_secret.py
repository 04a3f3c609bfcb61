"""The master user's managed secret, as RDS keeps it in Secrets Manager: named `rds!db-…`, owned by RDS."""

import json
import uuid

from ministack.core.responses import get_account_id, get_region
from ministack.services import secretsmanager

from vectorops.local.emulator.databases import Instance
from vectorops.local.emulator.mending import need

need(secretsmanager, "create_secret_in_process", "put_secret_value_in_process", "delete_secret_in_process")


def create(instance: Instance, password: str, kms_key: str) -> None:
    """Make the secret and name it in the instance."""
    arn = secretsmanager.create_secret_in_process(
        f"rds!db-{uuid.uuid4()}",
        _content(instance, password),
        f"Secret associated with primary RDS DB instance: {instance['DBInstanceArn']}",
    )
    instance["MasterUserSecret"] = {
        "SecretArn": arn,
        "SecretStatus": "active",
        "KmsKeyId": kms_key or f"arn:aws:kms:{get_region()}:{get_account_id()}:alias/aws/secretsmanager",
    }


def update(instance: Instance, password: str) -> None:
    """Give the secret a new current version."""
    secretsmanager.put_secret_value_in_process(
        instance["MasterUserSecret"]["SecretArn"], _content(instance, password)
    )


def delete(instance: Instance) -> None:
    """Delete the secret at once; nothing happens when there is none."""
    if secret := instance.pop("MasterUserSecret", None):
        secretsmanager.delete_secret_in_process(secret["SecretArn"])


def _content(instance: Instance, password: str) -> str:
    return json.dumps({"username": instance["MasterUsername"], "password": password})
