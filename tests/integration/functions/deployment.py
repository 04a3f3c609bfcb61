"""What Terraform deploys around a function: a database, its secret, the artefact bucket, the variables."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from vectorops.aws import Aws
from vectorops.database.connection import DatabaseAddress
from vectorops.embeddings.load import load_embeddings
from vectorops.embeddings.sources import Source
from vectorops.embeddings.writing import Way
from vectorops.functions.configuration import Configuration

Connection = psycopg.Connection[Any]
SQL_DIR = Path(__file__).parents[3] / "sql"


@dataclass(frozen=True)
class Deployment:
    """Where a function finds what it needs.

    Attributes:
        database: Through it the function connects.
        secret_arn: Of the secret with the login.
        bucket: The artefact bucket, with a published model.
    """

    aws: Aws
    database: DatabaseAddress
    secret_arn: str
    bucket: str

    def environ(self, **more: str) -> dict[str, str]:
        assert self.aws.credentials is not None
        return {
            "AWS_REGION": self.aws.region,
            "AWS_ENDPOINT_URL": str(self.aws.endpoint_url),
            "AWS_ACCESS_KEY_ID": self.aws.credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.aws.credentials.secret_access_key,
            "DATABASE_HOST": self.database.host,
            "DATABASE_PORT": str(self.database.port),
            "DATABASE_NAME": self.database.name,
            "DATABASE_SECRET_ARN": self.secret_arn,
            "DATABASE_SSLMODE": "disable",
            "ML_ARTIFACTS_BUCKET": self.bucket,
            **more,
        }

    def configuration(self, **more: str) -> Configuration:
        return Configuration.from_environ(self.environ(**more))

    def put_login(self, user: str, password: str) -> None:
        text = json.dumps({"username": user, "password": password})
        self.aws.client("secretsmanager").put_secret_value(SecretId=self.secret_arn, SecretString=text)


@dataclass
class Invocation:
    """The context of an invocation that has `seconds` left."""

    seconds: float = 30
    function_name: str = "vectorops-test"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:vectorops-test"
    aws_request_id: str = "00000000-0000-4000-8000-000000000001"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


def load_items(
    connection: Connection,
    csv: bytes,
    *,
    table: str = "item_emb",
    model_version: str | None = None,
    way: Way | None = None,
) -> None:
    """Load items as `vectorops load-embeddings` does."""
    source = Source("items.csv", len(csv), lambda: io.BytesIO(csv))
    load_embeddings(connection, [source], table=table, model_version=model_version, way=way)
