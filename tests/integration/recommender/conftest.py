"""A bucket and a catalog database per test."""

import secrets

import pytest

from tests.integration.recommender.data_lake import Lake
from vectorops.aws import Aws


@pytest.fixture
def lake(aws: Aws) -> Lake:
    """An empty bucket and an empty catalog database."""
    name = f"test-{secrets.token_hex(6)}"
    lake = Lake(aws.client("s3"), aws.client("glue"), name, name.replace("-", "_"))
    lake.s3.create_bucket(Bucket=lake.bucket)
    lake.glue.create_database(DatabaseInput={"Name": lake.database})
    return lake
