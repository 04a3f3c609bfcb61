"""Glue job: loads embeddings from S3 into the vector database, one COPY stream for each Spark task.

One file without imports of our own, since Glue runs it as it is uploaded. It fetches the package that
`vectorops deploy` has built beside it and hands it to Spark, which unpacks it on every worker. The package's
code runs in processes of their own, whose first place to import from it is: what Glue ships of NumPy or Arrow
is never mixed with what was locked and tested. What must not happen twice is guarded in the database
(vectorops/embeddings/staging_area.py), so Spark may repeat tasks as it likes.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from awsglue.utils import getResolvedOptions
from pyspark import SparkContext, SparkFiles

ARGUMENTS = (
    "JOB_NAME",
    "package",
    "database_host",
    "database_port",
    "database_name",
    "database_secret_arn",
    "database_sslmode",
    "max_streams",
    "results",
    "load",
)
# Lines that vectorops/embeddings/coordinator.py prints.
SHARES_MARK = "VECTOROPS_SHARES "
END_MARK = "VECTOROPS_END "
WORKER_ERROR = re.compile(r"WorkerError: (.*)")


class LoadError(Exception):
    """Nothing was loaded."""


def fetch_package(url: str, folder: Path) -> Path:
    """Return a copy of the package, in `folder`."""
    place = urlsplit(url)
    path = folder / Path(place.path).name
    boto3.client("s3").download_file(place.netloc, place.path.lstrip("/"), str(path))
    return path


def request_of(options: dict[str, str], region: str) -> dict[str, Any]:
    """Return what the coordinator is asked to do.

    The argument "load" is a JSON object of sources, table, way and options, as the CLI writes it.
    """
    results = f"{options['results'].rstrip('/')}/{options.get('JOB_RUN_ID') or options['JOB_NAME']}/"
    database = {
        "region": region,
        "host": options["database_host"],
        "port": int(options["database_port"]),
        "name": options["database_name"],
        "secret_arn": options["database_secret_arn"],
        "sslmode": options["database_sslmode"],
    }
    streams = int(options["max_streams"])
    request: dict[str, Any] = json.loads(options["load"])
    return request | {"database": database, "results": results, "max_streams": streams}


def load(context: SparkContext, package: str, request: dict[str, Any]) -> None:
    """Run the coordinator, and the workers that it asks for on Spark.

    Raises:
        LoadError: It says that nothing was loaded, and why.
    """
    command, environment = package_command(package, "coordinator")
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin and process.stdout  # noqa: S101 - both are pipes
        print(json.dumps(request), file=process.stdin)
        error = "the coordinator has ended without a word"
        for line in process.stdout:
            if line.startswith(SHARES_MARK):
                answer = run_workers(context, package, json.loads(line.removeprefix(SHARES_MARK)))
                print(json.dumps(answer), file=process.stdin)
            elif line.startswith(END_MARK):
                error = json.loads(line.removeprefix(END_MARK)).get("error", "")
        process.stdin.close()
    if error:
        raise LoadError(error)


def run_workers(context: SparkContext, package: str, assignments: Sequence[str]) -> dict[str, Any]:
    """Return what the workers answer, or why one could not, however often Spark tried."""

    def work(assignment: str) -> str:
        command, environment = package_command(package, "worker")
        done = subprocess.run(
            command, env=environment, input=assignment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise RuntimeError(f"WorkerError: {reason}")
        return done.stdout

    try:
        return {"answers": context.parallelize(assignments, len(assignments)).map(work).collect()}
    except Exception as exc:
        reasons = WORKER_ERROR.findall(str(exc))
        return {"error": reasons[-1].strip() if reasons else str(exc).splitlines()[0]}


def package_command(package: str, module: str) -> tuple[list[str], dict[str, str]]:
    """Return argv and environment of a process that runs a module of the package, wherever Spark put it."""
    command = [sys.executable, "-P", "-m", f"vectorops.embeddings.{module}"]
    return command, {**os.environ, "PYTHONPATH": SparkFiles.get(package)}


def main(argv: Sequence[str]) -> None:
    """Run the job."""
    options = getResolvedOptions(argv, list(ARGUMENTS))
    context = SparkContext.getOrCreate()
    region = boto3.session.Session().region_name
    with tempfile.TemporaryDirectory() as folder:
        package = fetch_package(options["package"], Path(folder))
        context.addArchive(str(package))
        load(context, package.name, request_of(options, region))


if __name__ == "__main__":
    main(sys.argv)
