"""A migrated database, and loading from text into its tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.integration.embeddings.load_samples import Loader
from vectorops.aws import Aws
from vectorops.database.connection import register_vector_types
from vectorops.database.migrations import apply_migrations

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

SQL = Path(__file__).parents[3] / "sql"


@pytest.fixture
def loader(connection: psycopg.Connection[Any], tmp_path: Path) -> Loader:
    """Loads into the migrated database of this test; its table "t" is (id varchar, embedding vector(3))."""
    apply_migrations(connection, SQL)
    register_vector_types(connection)
    connection.execute("SET search_path = public, vectorops")
    connection.execute("CREATE TABLE t (id varchar PRIMARY KEY, embedding vector(3))")
    return Loader(connection, tmp_path)


@pytest.fixture
def s3(aws: Aws) -> "S3Client":
    """Client of a real S3 API on loopback."""
    client: S3Client = aws.client("s3")
    return client
