import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from tests.integration.local.local_databases import (
    MANAGED,
    address_of,
    create_instance,
    delete_instance,
    describe,
    wait_for,
)
from vectorops.aws import Aws
from vectorops.database.connection import connect
from vectorops.errors import DatabaseError
from vectorops.local import DatabaseRecord, status
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.settings import Environment

NAME = "vectors"


@pytest.fixture
def instance(operator: Aws) -> Iterator[dict[str, Any]]:
    yield create_instance(operator, NAME)
    delete_instance(operator, NAME)


def record(environment: Environment) -> DatabaseRecord:
    return status(environment).databases[0]


def test_an_available_instance_is_a_postgresql_with_pgvector_behind_its_endpoint(
    operator: Aws, instance: dict[str, Any], shared_environment: Environment
) -> None:
    with connect(address_of(operator, instance)) as connection:
        connection.execute("CREATE EXTENSION vector")
        row = connection.execute("SELECT current_user, current_database(), inet_server_port()").fetchone()
    assert row == ("operator", "vectors", instance["Endpoint"]["Port"])
    assert record(shared_environment).served_by.startswith("PostgreSQL 18.")


def test_the_managed_secret_holds_the_only_password_that_opens_the_database(
    operator: Aws, instance: dict[str, Any], shared_environment: Environment
) -> None:
    address = address_of(operator, instance)
    assert instance["MasterUserSecret"]["SecretStatus"] == "active"
    assert "secret:rds!db-" in instance["MasterUserSecret"]["SecretArn"]
    log = (shared_environment.state_dir / "local" / "server.log").read_text()
    assert address.password not in log
    assert address.password not in json.dumps(instance, default=str)


def test_the_password_is_saved_in_the_secret_and_nowhere_else(
    operator: Aws, instance: dict[str, Any], shared_environment: Environment
) -> None:
    password = address_of(operator, instance).password
    folder = shared_environment.state_dir / "local"

    def holders() -> list[str]:
        files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".tmp"]
        return [path.name for path in files if password.encode() in path.read_bytes()]

    while not holders():
        time.sleep(0.1)
    assert holders() == ["secretsmanager.json"]


def test_deleting_an_instance_stops_the_server_and_deletes_data_and_secret(
    operator: Aws, shared_environment: Environment
) -> None:
    instance = create_instance(operator, NAME)
    delete_instance(operator, NAME)
    with pytest.raises(ClientError, match="DBInstanceNotFound"):
        describe(operator, NAME)
    assert status(shared_environment).databases == ()
    assert list((shared_environment.state_dir / "local" / "databases").iterdir()) == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        address_of(operator, instance)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, instance["Endpoint"]["Port"]))


def test_a_name_can_be_used_again_and_the_database_is_empty(operator: Aws) -> None:
    for _ in range(2):
        with connect(address_of(operator, create_instance(operator, NAME))) as connection:
            connection.execute("CREATE TABLE fresh ()")
        delete_instance(operator, NAME)


def test_the_port_asked_for_is_used(operator: Aws) -> None:
    port = find_free_port()
    instance = create_instance(operator, NAME, Port=port)
    assert instance["Endpoint"]["Port"] == port
    connect(address_of(operator, instance)).close()
    delete_instance(operator, NAME)


def test_a_port_asked_for_that_is_taken_is_refused_by_name(operator: Aws) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ClientError, match=f"port {port} is taken by another program"):
            create_instance(operator, NAME, Port=port)
    assert operator.client("rds").describe_db_instances()["DBInstances"] == []


def test_rebooting_restarts_the_server_and_keeps_the_data(
    operator: Aws, instance: dict[str, Any], shared_environment: Environment
) -> None:
    before = record(shared_environment)
    with connect(address_of(operator, instance)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    operator.client("rds").reboot_db_instance(DBInstanceIdentifier=NAME)
    wait_for(operator, NAME, "available")
    after = record(shared_environment)
    assert after.pid != before.pid
    assert (after.port, after.restarts) == (before.port, 0)
    with connect(address_of(operator, instance)) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)


def test_a_stopped_instance_refuses_connections_until_it_is_started(
    operator: Aws, instance: dict[str, Any]
) -> None:
    rds = operator.client("rds")
    rds.stop_db_instance(DBInstanceIdentifier=NAME)
    assert describe(operator, NAME)["DBInstanceStatus"] == "stopped"
    with pytest.raises(DatabaseError):
        connect(address_of(operator, instance))
    rds.start_db_instance(DBInstanceIdentifier=NAME)
    wait_for(operator, NAME, "available")
    connect(address_of(operator, instance)).close()


def test_rotating_the_managed_password_changes_it_in_the_database_too(
    operator: Aws, instance: dict[str, Any]
) -> None:
    before = address_of(operator, instance)
    operator.client("rds").modify_db_instance(
        DBInstanceIdentifier=NAME, ManageMasterUserPassword=True, RotateMasterUserPassword=True
    )
    after = address_of(operator, describe(operator, NAME))
    assert after.password != before.password
    connect(after).close()
    with pytest.raises(DatabaseError, match="password authentication failed"):
        connect(before)


def test_a_password_given_replaces_the_managed_one(operator: Aws, instance: dict[str, Any]) -> None:
    before = address_of(operator, instance)
    operator.client("rds").modify_db_instance(DBInstanceIdentifier=NAME, MasterUserPassword="given-by-hand")
    assert "MasterUserSecret" not in describe(operator, NAME)
    with psycopg.connect(before.url().replace(before.password, "given-by-hand")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"Engine": "oracle-ee"}, "cannot run engine 'oracle-ee'"),
        ({"MasterUserPassword": "also-given"}, "either MasterUserPassword or ManageMasterUserPassword"),
        ({"ManageMasterUserPassword": False}, "either MasterUserPassword or ManageMasterUserPassword"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(
    operator: Aws, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        create_instance(operator, NAME, **arguments)


def test_what_the_local_target_cannot_do_fails_instead_of_pretending(
    operator: Aws, instance: dict[str, Any]
) -> None:
    rds = operator.client("rds")
    with pytest.raises(ClientError, match="cannot take a final snapshot"):
        rds.delete_db_instance(DBInstanceIdentifier=NAME, FinalDBSnapshotIdentifier="last")
    with pytest.raises(ClientError, match="cannot do CreateDBSnapshot"):
        rds.create_db_snapshot(DBInstanceIdentifier=NAME, DBSnapshotIdentifier="one")
    with pytest.raises(ClientError, match="cannot do CreateDBCluster"):
        rds.create_db_cluster(DBClusterIdentifier="aurora", Engine="aurora-postgresql")
    with pytest.raises(ClientError, match="cannot change an instance's DBPortNumber"):
        rds.modify_db_instance(DBInstanceIdentifier=NAME, DBPortNumber=5555)


def test_what_terraform_sets_is_described_as_it_was_set(operator: Aws) -> None:
    wanted = {
        "PreferredBackupWindow": "02:00-03:00",
        "PreferredMaintenanceWindow": "sun:03:30-sun:04:30",
        "EnablePerformanceInsights": True,
        "PerformanceInsightsKMSKeyId": "arn:aws:kms:us-east-1:000000000000:key/1",
        "EnableCloudwatchLogsExports": ["postgresql", "upgrade"],
        "MaxAllocatedStorage": 100,
    }
    instance = create_instance(operator, NAME, **wanted)
    delete_instance(operator, NAME)
    found = {**instance, "EnableCloudwatchLogsExports": instance["EnabledCloudwatchLogsExports"]}
    found["EnablePerformanceInsights"] = instance["PerformanceInsightsEnabled"]
    assert {key: found[key] for key in wanted} == wanted


def test_a_role_is_attached_only_when_it_trusts_rds(operator: Aws, instance: dict[str, Any]) -> None:
    iam, rds = operator.client("iam"), operator.client("rds")
    arns = {}
    for service in ("rds", "glue"):
        trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}}
        document = json.dumps({"Version": "2012-10-17", "Statement": {**trust, "Action": "sts:AssumeRole"}})
        role = iam.create_role(RoleName=f"trusts-{service}", AssumeRolePolicyDocument=document)
        arns[service] = role["Role"]["Arn"]
    association = {"DBInstanceIdentifier": NAME, "FeatureName": "s3Import"}
    with pytest.raises(ClientError, match=r"rds\.amazonaws\.com may not assume role"):
        rds.add_role_to_db_instance(**association, RoleArn=arns["glue"])
    rds.add_role_to_db_instance(**association, RoleArn=arns["rds"])
    attached = {"RoleArn": arns["rds"], "FeatureName": "s3Import", "Status": "ACTIVE"}
    assert describe(operator, NAME)["AssociatedRoles"] == [attached]
    rds.remove_role_from_db_instance(**association, RoleArn=arns["rds"])
    assert describe(operator, NAME)["AssociatedRoles"] == []
    for service in arns:
        iam.delete_role(RoleName=f"trusts-{service}")


def test_a_database_that_cannot_be_made_ends_as_failed(
    operator: Aws, shared_environment: Environment
) -> None:
    arguments = {**MANAGED, "MasterUsername": "pg_reserved"}
    operator.client("rds").create_db_instance(DBInstanceIdentifier=NAME, **arguments)
    wait_for(operator, NAME, "failed")
    assert 'role name "pg_reserved" is reserved' in status(shared_environment).last_error
    delete_instance(operator, NAME)
    assert not Path(shared_environment.state_dir / "local" / "databases" / NAME).exists()
