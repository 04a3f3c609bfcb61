"""Loads files from S3 by several processes, which here are started directly instead of by Spark."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.integration.embeddings.load_samples import Loader
from vectorops.aws import Aws
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.embeddings.assignment import Assignment, Database
from vectorops.embeddings.coordinator import OnWait, Request, Run, coordinate
from vectorops.embeddings.load import LoadReport
from vectorops.embeddings.worker import stage_files
from vectorops.errors import VectorOpsError

_HOLD = """
CREATE FUNCTION AREA.hold() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END$$;
CREATE TRIGGER hold BEFORE UPDATE ON AREA.vectorops_parts FOR EACH ROW EXECUTE FUNCTION AREA.hold()
"""
_HELD = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'
    AND query LIKE '%UPDATE vectorops_parts%'
"""


@dataclass
class Spread:
    """A bucket, a database, and loads from the one into the other."""

    loader: Loader
    aws: Aws
    address: DatabaseAddress
    bucket: str
    assignments: list[Assignment] = field(default_factory=list)

    @property
    def results(self) -> str:
        return f"s3://{self.bucket}/loads/run/"

    def put(self, name: str, content: str | bytes) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.aws.client("s3").put_object(Bucket=self.bucket, Key=f"in/{name}", Body=body)

    def keys(self) -> list[str]:
        """What loads have left in the bucket."""
        listed = self.aws.client("s3").list_objects_v2(Bucket=self.bucket, Prefix="loads/")
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def rejects(self) -> list[str]:
        body = self.aws.client("s3").get_object(Bucket=self.bucket, Key="loads/run/rejects.csv")["Body"]
        lines: list[str] = body.read().decode().splitlines()
        return lines

    def schemas(self) -> list[str]:
        """Staging areas that are there."""
        query = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'vectorops_spread_%'"
        return [row[0] for row in self.loader.connection.execute(query)]

    def load(
        self,
        table: str = "public.t",
        *,
        run: Run | None = None,
        streams: int = 2,
        mode: str = "upsert",
        **options: Any,
    ) -> LoadReport:
        address = self.address
        database = Database(
            self.aws.region, address.host, address.port, address.name, self._secret(), "disable"
        )
        request = Request(
            database, [f"s3://{self.bucket}/in/"], table, self.results, streams, {"mode": mode}, options
        )
        return coordinate(request, self.aws.client("s3"), address, run or self.run_threads)

    def run_threads(self, assignments: Sequence[Assignment], on_wait: OnWait) -> list[str]:
        self.assignments = list(assignments)
        with ThreadPoolExecutor(len(assignments)) as pool:
            answers = list(pool.map(self._stage, assignments))
        on_wait()
        return answers

    def start_worker(self, assignment: Assignment) -> "subprocess.Popen[str]":
        environ = {"AWS_ENDPOINT_URL": str(self.aws.endpoint_url)}
        environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        process = subprocess.Popen(
            [sys.executable, "-m", "vectorops.embeddings.worker"],
            env={**os.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdin
        process.stdin.write(assignment.to_json())
        process.stdin.close()
        process.stdin = None
        return process

    @contextmanager
    def held_worker(self, assignment: Assignment) -> "Iterator[tuple[subprocess.Popen[str], int]]":
        """Start a worker that gets as far as the last statement for a file, with all its rows copied.

        Yields:
            The worker, and its server process, which waits until the block ends.
        """
        with connect(self.address) as holder:
            holder.execute(_HOLD.replace("AREA", assignment.schema).encode())
            holder.execute("SELECT pg_advisory_lock(4711)")
            worker = self.start_worker(assignment)
            while not (waiting := holder.execute(_HELD).fetchone()):
                assert worker.poll() is None, "the worker ended before it had copied the rows"
                time.sleep(0.01)
            yield worker, int(waiting[0])

    def _stage(self, assignment: Assignment) -> str:
        with connect(self.address) as connection:
            try:
                errors = stage_files(assignment, connection, self.aws.client("s3"))
            except VectorOpsError as exc:
                raise AssertionError(str(exc)) from exc
        return json.dumps({"errors": errors})

    def _secret(self) -> str:
        login = json.dumps({"username": self.address.user, "password": self.address.password})
        client = self.aws.client("secretsmanager")
        arn: str = client.create_secret(Name=f"login-{time.time_ns()}", SecretString=login)["ARN"]
        return arn
