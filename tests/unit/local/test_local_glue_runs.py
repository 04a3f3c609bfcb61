import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("ministack", reason="the local target is not installed: make setup")

from vectorops.aws import Aws
from vectorops.local.emulator.glue_permissions import resource
from vectorops.local.emulator.pages import page
from vectorops.local.glue_runs import GlueRun, RunRequest, shorten

JAVA_ERROR = """\
Py4JJavaError: An error occurred while calling o84.parquet.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 1 in stage 2.0 failed.
Driver stacktrace:
\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2856)
Caused by: org.postgresql.util.PSQLException: connection refused
\tat org.postgresql.Driver.connect(Driver.java:1)
\t... 12 more
Caused by: java.net.ConnectException: nobody listens
\tat java.base/sun.nio.ch.Net.connect0(Native Method)
"""


def test_an_error_is_told_without_its_stack_but_with_its_innermost_cause() -> None:
    assert shorten(JAVA_ERROR) == (
        "Py4JJavaError: An error occurred while calling o84.parquet. "
        ": org.apache.spark.SparkException: Job aborted due to stage failure: Task 1 in stage 2.0 failed. "
        "Driver stacktrace: Caused by: java.net.ConnectException: nobody listens"
    )


def test_an_error_in_one_line_stays_as_it_is_and_a_long_one_is_cut() -> None:
    assert shorten("EtlError: cannot read table ratings\n") == "EtlError: cannot read table ratings"
    assert len(shorten("x" * 10_000)) == 2_000


def test_a_machine_without_java_fails_the_run_and_names_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_packages = [path for path in sys.path if "site-packages" not in path]
    monkeypatch.setattr(sys, "path", without_packages)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    request = RunRequest("jr_1", "arn:job", "arn:role", "s3://scripts/etl.py", {}, timeout_s=60)
    begun: list[bool] = []
    end = GlueRun(request, tmp_path, Aws("us-east-1")).execute(lambda: begun.append(True))
    assert end.state == "FAILED"
    assert end.error.startswith("there is no Java for Spark: ")
    assert "run 'make setup'" in end.error
    assert not begun
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("action", "request_", "expected"),
    [
        ("GetConnection", {"Name": "source"}, "connection/source"),
        ("CreateConnection", {"ConnectionInput": {"Name": "source"}}, "connection/source"),
        ("DeleteConnection", {"ConnectionName": "source"}, "connection/source"),
        ("GetDatabase", {"Name": "lake"}, "database/lake"),
        ("GetTable", {"DatabaseName": "lake", "Name": "ratings"}, "table/lake/ratings"),
        ("UpdateTable", {"DatabaseName": "lake", "TableInput": {"Name": "ratings"}}, "table/lake/ratings"),
        ("BatchCreatePartition", {"DatabaseName": "lake", "TableName": "ratings"}, "table/lake/ratings"),
        ("GetTables", {"DatabaseName": "lake"}, "database/lake"),
        ("StartJobRun", {"JobName": "etl"}, "job/etl"),
        ("CreateJob", {"Name": "etl"}, "job/etl"),
        ("StartCrawler", {"Name": "ratings"}, "crawler/ratings"),
        ("ListJobs", {}, "catalog"),
    ],
)
def test_iam_sees_what_a_glue_request_is_about(
    action: str, request_: dict[str, object], expected: str
) -> None:
    assert resource(action, json.dumps(request_).encode()) == expected


def test_pages_hold_everything_once_and_in_order() -> None:
    first = page("Items", list("abcde"), {"MaxResults": 2}, 100)
    second = page("Items", list("abcde"), {"MaxResults": 10, "NextToken": first["NextToken"]}, 2)
    third = page("Items", list("abcde"), {"NextToken": second["NextToken"]}, 2)
    assert first["Items"] + second["Items"] + third["Items"] == list("abcde")
    assert "NextToken" not in third
