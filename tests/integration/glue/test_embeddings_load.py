"""The job that loads embeddings, from its package, on real Spark."""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import psycopg
import pytest

from tests.integration.embeddings.load_samples import Loader, embeddings_csv
from tests.integration.functions.relay import Relay
from vectorops.aws import Aws
from vectorops.database.connection import DatabaseAddress, connect, register_vector_types
from vectorops.database.migrations import apply_migrations
from vectorops.errors import LocalTargetError
from vectorops.infra.packages import build_loader
from vectorops.local.awsglue_shim.command import ERROR_FILE, find_jars, find_java, spark_command
from vectorops.settings import Environment, Project

CHECKOUT = Path(__file__).parents[3]
SCRIPT = CHECKOUT / "vectorops" / "glue" / "embeddings_load.py"


@dataclass(frozen=True)
class Job:
    """The job, a bucket for it, and the database that it loads into."""

    aws: Aws
    address: DatabaseAddress
    loader: Loader
    bucket: str
    folder: Path

    def put(self, key: str, content: str) -> None:
        self.aws.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content.encode())

    def start(self, run: str, *, port: int | None = None, **load: Any) -> "subprocess.Popen[bytes]":
        """Start a run, with the database behind `port`."""
        work_dir = self.folder / run
        work_dir.mkdir()
        address = self.address
        secret = json.dumps({"username": address.user, "password": address.password})
        arn = self.aws.client("secretsmanager").create_secret(Name=run + self.bucket, SecretString=secret)[
            "ARN"
        ]
        arguments = {
            "JOB_NAME": "load",
            "JOB_RUN_ID": run,
            "package": f"s3://{self.bucket}/package.zip",
            "database_host": address.host,
            "database_port": str(port or address.port),
            "database_name": address.name,
            "database_secret_arn": arn,
            "database_sslmode": "disable",
            "max_streams": "2",
            "results": f"s3://{self.bucket}/loads/",
            "load": json.dumps({"way": {}, "options": {}} | load),
        }
        argv, env = spark_command(
            SCRIPT,
            arguments,
            work_dir=work_dir,
            endpoint_url=str(self.aws.endpoint_url),
            jars=find_jars(),
            java_home=find_java(),
        )
        env |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        return subprocess.Popen(
            argv,
            env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": self.aws.region} | env,
            cwd=work_dir,
            stdout=(work_dir / "output").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def output(self, run: str) -> str:
        return (self.folder / run / "output").read_text()

    def report(self, run: str) -> dict[str, Any]:
        body = self.aws.client("s3").get_object(Bucket=self.bucket, Key=f"loads/{run}/report.json")["Body"]
        found: dict[str, Any] = json.loads(body.read())
        return found


@pytest.fixture
def job(
    aws: Aws, database_address: DatabaseAddress, connection: psycopg.Connection[Any], tmp_path: Path
) -> Iterator[Job]:
    try:
        find_java(), find_jars()
    except LocalTargetError as exc:
        pytest.skip(f"{exc}; {exc.hint}")
    apply_migrations(connection, CHECKOUT / "sql")
    register_vector_types(connection)
    environment = Environment("test", "local", "us-east-1", tmp_path / "unused.tfvars", tmp_path / "state")
    package = build_loader(Project(CHECKOUT, {"test": environment}), environment)
    bucket = f"load-{secrets.token_hex(4)}"
    aws.client("s3").create_bucket(Bucket=bucket)
    aws.client("s3").upload_file(str(package.path), bucket, "package.zip")
    yield Job(aws, database_address, Loader(connection, tmp_path), bucket, tmp_path)


class HeldCopy:
    """Lets clients of the database begin to copy rows, and then say no more for a while."""

    def __init__(self) -> None:
        self.has_begun, self.goes_on = Event(), Event()

    def __call__(self, content: bytes) -> None:
        if self.has_begun.is_set():
            self.goes_on.wait()
        elif b"COPY vectorops_staged" in content:
            self.has_begun.set()


def break_one_stream(job: Job, process: "subprocess.Popen[bytes]", held: HeldCopy) -> None:
    """End the connection of a worker while it is copying rows."""
    query = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE query LIKE 'COPY vectorops_staged%' AND state = 'active' LIMIT 1
    """
    try:
        while not held.has_begun.wait(0.1):
            assert process.poll() is None, "the run ended before a worker copied rows"
        with connect(job.address) as watching:
            while not watching.execute(query.encode()).fetchall():
                time.sleep(0.01)
    finally:
        held.goes_on.set()


def test_the_job_loads_each_row_once_although_spark_repeats_a_task(job: Job) -> None:
    job.put("in/a.csv", embeddings_csv(20_000, 64, prefix="a"))
    job.put("in/b.csv", embeddings_csv(2_000, 64, prefix="b") + 'c,"[1,2]"\n')
    sources, options = [f"s3://{job.bucket}/in/"], {"create": True, "on_error": "reject"}
    held = HeldCopy()
    relay = Relay(job.address.host, job.address.port, on_request=held)
    process = job.start("run1", port=relay.port, sources=sources, table="public.docs", options=options)
    break_one_stream(job, process, held)
    assert process.wait() == 0, job.output("run1")
    relay.close()
    report = job.report("run1")["report"]
    assert (report["read"], report["inserted"], report["rejected"]) == (22_001, 22_000, 1)
    count = "SELECT count(*), count(DISTINCT id) FROM public.docs"
    assert job.loader.connection.execute(count).fetchone() == (22_000, 22_000)
    assert "VECTOROPS_METRICS" in job.output("run1")
    rejects = job.aws.client("s3").get_object(Bucket=job.bucket, Key="loads/run1/rejects.csv")["Body"].read()
    assert rejects.decode().splitlines()[1].startswith(f"s3://{job.bucket}/in/b.csv,2002,")


def test_a_load_that_is_refused_ends_the_run_with_the_reason(job: Job) -> None:
    job.put("in/a.csv", 'id,embedding\na,"[1,2,3]"\nb,"[1,nan,3]"\n')
    sources = [f"s3://{job.bucket}/in/a.csv"]
    process = job.start("run1", sources=sources, table="public.docs", options={"create": True})
    assert process.wait() == 1
    error = (job.folder / "run1" / ERROR_FILE).read_text()
    assert error.startswith(f"LoadError: s3://{job.bucket}/in/a.csv line 3: ")
    assert job.report("run1")["error"]["kind"] == "InputDataError"
    assert job.loader.connection.execute("SELECT to_regclass('public.docs')").fetchone() == (None,)
