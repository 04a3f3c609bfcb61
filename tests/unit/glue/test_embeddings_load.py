"""What the job is asked to do, from its arguments."""

import json
import sys
from types import ModuleType

import pytest

from vectorops.embeddings import coordinator
from vectorops.local.awsglue_shim.command import SHIM_DIR


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("pyspark", reason="Spark is not installed: make setup")
    monkeypatch.syspath_prepend(str(SHIM_DIR))
    from vectorops.glue import embeddings_load

    return embeddings_load


OPTIONS = {
    "JOB_NAME": "load",
    "JOB_RUN_ID": "jr_1",
    "database_host": "database.example.internal",
    "database_port": "5432",
    "database_name": "vectors",
    "database_secret_arn": "arn:secret",
    "database_sslmode": "verify-full",
    "max_streams": "16",
    "results": "s3://bucket/loads",
    "load": '{"sources": ["s3://bucket/in/"], "table": "docs", "way": {}, "options": {"create": true}}',
}


def test_the_coordinator_understands_the_request(job: ModuleType) -> None:
    request = coordinator.Request.from_json(json.dumps(job.request_of(OPTIONS, "eu-central-1")))
    assert (request.sources, request.table, request.max_streams) == (["s3://bucket/in/"], "docs", 16)
    assert request.results == "s3://bucket/loads/jr_1/"
    assert (request.database.port, request.database.region) == (5432, "eu-central-1")
    assert request.stops and request.options == {"create": True}


def test_script_and_coordinator_mark_their_lines_alike(job: ModuleType) -> None:
    assert (job.SHARES_MARK, job.END_MARK) == (coordinator.SHARES_MARK, coordinator.END_MARK)


def test_the_package_runs_in_this_python_without_what_lies_in_the_working_folder(job: ModuleType) -> None:
    from pyspark import SparkFiles

    SparkFiles._root_directory, SparkFiles._is_running_on_worker = "/unpacked", True
    try:
        command, environment = job.package_command("package.zip", "worker")
    finally:
        SparkFiles._is_running_on_worker = False
    assert command == [sys.executable, "-P", "-m", "vectorops.embeddings.worker"]
    assert environment["PYTHONPATH"] == "/unpacked/package.zip"
