"""A function's surroundings: a database with items, reached through a relay, and a published model."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from tests.integration.functions.deployment import SQL_DIR, Deployment, load_items
from tests.integration.functions.relay import Relay
from tests.recommender_samples import trained
from vectorops.aws import Aws
from vectorops.database.connection import DatabaseAddress, register_vector_types
from vectorops.database.migrations import apply_migrations
from vectorops.recommender.artifacts import write_artifacts


@pytest.fixture
def items(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """Connection to a database with the items of the sample model."""
    apply_migrations(connection, SQL_DIR)
    register_vector_types(connection)
    load_items(connection, trained().files.item_embeddings)
    return connection


@pytest.fixture
def relay(database_address: DatabaseAddress) -> Iterator[Relay]:
    """The way to the test's database."""
    relay = Relay(database_address.host, database_address.port)
    yield relay
    relay.close()


@pytest.fixture(scope="session")
def artifacts_bucket(aws: Aws) -> str:
    """A bucket in which the sample model is published."""
    bucket = f"artifacts-{secrets.token_hex(6)}"
    aws.client("s3").create_bucket(Bucket=bucket)
    write_artifacts(trained(), aws.client("s3"), bucket)
    return bucket


@pytest.fixture
def deployment(
    aws: Aws,
    database_address: DatabaseAddress,
    items: psycopg.Connection[Any],
    relay: Relay,
    artifacts_bucket: str,
) -> Deployment:
    """Everything a function is told about."""
    login = json.dumps({"username": database_address.user, "password": database_address.password})
    secret = aws.client("secretsmanager").create_secret(Name=f"db-{secrets.token_hex(6)}", SecretString=login)
    return Deployment(aws, replace(database_address, port=relay.port), secret["ARN"], artifacts_bucket)
