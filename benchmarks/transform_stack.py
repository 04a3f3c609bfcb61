"""What the transform and the design it replaces stand on: a PostgreSQL, the AWS APIs, a published model."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from botocore.exceptions import EndpointConnectionError

from vectorops.aws import Aws, Credentials
from vectorops.database.connection import DatabaseAddress, connect, register_vector_types
from vectorops.database.migrations import apply_migrations
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.local.postgres import PostgresProcess, create_cluster
from vectorops.recommender.artifacts import write_artifacts
from vectorops.recommender.training import TrainingResult, train
from vectorops.source.sample import generate_sample
from vectorops.source.tables import CUSTOMERS, PRODUCTS, RATINGS

CHECKOUT = Path(__file__).parents[1]
LIMIT = 5


@dataclass(frozen=True)
class Stack:
    """What both designs stand on."""

    aws: Aws
    database: DatabaseAddress
    secret_arn: str
    bucket: str
    model: TrainingResult

    def environ(self, **more: str) -> dict[str, str]:
        """Return the variables that Terraform sets, and `more`."""
        return {
            "AWS_REGION": self.aws.region,
            "AWS_ENDPOINT_URL": str(self.aws.endpoint_url),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "DATABASE_HOST": self.database.host,
            "DATABASE_PORT": str(self.database.port),
            "DATABASE_NAME": self.database.name,
            "DATABASE_SECRET_ARN": self.secret_arn,
            "DATABASE_SSLMODE": "disable",
            "ML_ARTIFACTS_BUCKET": self.bucket,
            "ITEM_LIMIT": str(LIMIT),
            **more,
        }


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """Run a PostgreSQL and the AWS APIs of our own, with a published model."""
    folder.chmod(0o755)  # PostgreSQL runs as another user when we are root
    password = secrets.token_urlsafe(16)
    create_cluster(folder / "data", user="bench", password=password, database="bench")
    server = PostgresProcess(folder / "data", find_free_port(), folder / "postgres.log")
    server.start()
    address = DatabaseAddress(LOOPBACK, server.port, "bench", "bench", password, sslmode="disable")
    try:
        with connect(address) as connection:
            apply_migrations(connection, CHECKOUT / "sql")
            register_vector_types(connection)
        with emulator(folder) as aws:
            login = json.dumps({"username": "bench", "password": password})
            secret = aws.client("secretsmanager").create_secret(Name="bench", SecretString=login)
            aws.client("s3").create_bucket(Bucket="bench")
            model = train(training_table(), model_version="bench")
            write_artifacts(model, aws.client("s3"), "bench")
            yield Stack(aws, address, secret["ARN"], "bench", model)
    finally:
        server.stop()


@contextmanager
def emulator(folder: Path) -> Iterator[Aws]:
    port = find_free_port()
    settings = {"BIND_HOST": LOOPBACK, "MINISTACK_HOST": LOOPBACK, "GATEWAY_PORT": str(port)}
    settings |= {"STATE_DIR": str(folder / "state"), "S3_DATA_DIR": str(folder / "s3")}
    settings |= {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-c", "from ministack import app; app.main()"]
    with (folder / "emulator.log").open("wb") as log:
        process = subprocess.Popen(command, env=kept | settings, cwd=folder, stdout=log, stderr=log)
    aws = Aws("us-east-1", endpoint_url=f"http://{LOOPBACK}:{port}", credentials=Credentials("test", "test"))
    try:
        while True:
            try:
                aws.client("s3").list_buckets()
                break
            except EndpointConnectionError:
                time.sleep(0.1)
        yield aws
    finally:
        process.kill()
        process.wait()


def training_table() -> pa.Table:
    """Return the ratings of the sample data, joined as the ETL job joins them."""
    data = generate_sample()
    customers = {row[0]: dict(zip(CUSTOMERS.column_names, row, strict=True)) for row in data.customers}
    products = {row[0]: dict(zip(PRODUCTS.column_names, row, strict=True)) for row in data.products}
    ratings = (dict(zip(RATINGS.column_names, row, strict=True)) for row in data.ratings)
    rows = [{**customers[one["customerNumber"]], **products[one["productCode"]], **one} for one in ratings]
    return pa.Table.from_pylist(rows)


def fill_items(around: Stack, items: int) -> list[str]:
    """Put clustered vectors into item_emb, index and analyse it; return the ids."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((items // 100 + 1, 32))
    vectors = centres[rng.integers(len(centres), size=items)] + 0.4 * rng.standard_normal((items, 32))
    codes = [f"S{number % 1000}_{number:07d}" for number in range(items)]
    with connect(around.database) as connection:
        connection.execute("SET maintenance_work_mem = '2GB'")
        connection.execute("DROP INDEX IF EXISTS item_emb_embedding_idx; TRUNCATE item_emb")
        with connection.cursor().copy("COPY item_emb FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["text", "vector"])
            for code, vector in zip(codes, vectors.astype(np.float32), strict=True):
                copy.write_row((code, vector))
        connection.execute(
            "CREATE INDEX item_emb_embedding_idx ON item_emb USING hnsw (embedding vector_cosine_ops)"
        )
        connection.execute("VACUUM ANALYZE item_emb")
    return codes
