from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from vectorops.infra.database_machine import database_machine

GIB = 2**30


@pytest.fixture
def rds() -> Any:
    return boto3.client("rds", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


def describe(stubber: Stubber, **instance: str) -> None:
    stubber.add_response(
        "describe_db_instances", {"DBInstances": [instance]}, {"DBInstanceIdentifier": "vectors"}
    )


def test_the_class_that_runs_counts_not_the_one_that_was_deployed(rds: Any) -> None:
    with Stubber(rds) as stubber:
        describe(stubber, DBInstanceClass="db.r6g.xlarge")
        machine = database_machine(rds, "vectors", "db.t4g.micro")
    assert machine is not None
    assert machine.memory_bytes == 32 * GIB


def test_aurora_serverless_counts_with_the_most_it_may_grow_to(rds: Any) -> None:
    with Stubber(rds) as stubber:
        describe(stubber, DBInstanceClass="db.serverless", DBClusterIdentifier="cluster")
        scaling = {"MinCapacity": 0.5, "MaxCapacity": 8.0}
        clusters = {"DBClusters": [{"ServerlessV2ScalingConfiguration": scaling}]}
        stubber.add_response("describe_db_clusters", clusters, {"DBClusterIdentifier": "cluster"})
        machine = database_machine(rds, "vectors", "db.serverless")
    assert machine is not None
    assert machine.memory_bytes == 16 * GIB


def test_one_who_may_not_ask_gets_what_was_deployed(rds: Any) -> None:
    with Stubber(rds) as stubber:
        stubber.add_client_error("describe_db_instances", "AccessDenied", http_status_code=403)
        machine = database_machine(rds, "vectors", "db.m7g.large")
    assert machine is not None
    assert machine.memory_bytes == 8 * GIB


def test_an_instance_that_is_gone_is_an_error(rds: Any) -> None:
    with Stubber(rds) as stubber, pytest.raises(ClientError):
        stubber.add_client_error("describe_db_instances", "DBInstanceNotFound", http_status_code=404)
        database_machine(rds, "vectors", "db.m7g.large")
