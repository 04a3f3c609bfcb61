"""Source database → Glue → training → embeddings → search, through the CLI."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.aws import client, deny_action
from tests.e2e.cli import Cli
from tests.e2e.deliveries import outputs_of


@pytest.fixture(scope="module")
def first_demo(stack: Cli) -> Any:
    return stack.ok("demo", "--json").json


def outcomes(report: Any) -> dict[str, str]:
    return {step["name"]: step["outcome"] for step in report["steps"]}


def test_the_demo_runs_the_whole_chain_and_finds_ten_items_twice(first_demo: Any) -> None:
    assert first_demo["changed"]
    assert "training rows" in outcomes(first_demo)["Run the ETL job"]
    for found in ("similar_items", "recommended_items"):
        scores = [row["score"] for row in first_demo[found]["neighbours"]]
        assert len(scores) == 10
        assert scores == sorted(scores, reverse=True)


def test_the_demo_ends_with_live_recommendations(first_demo: Any) -> None:
    assert "300 events sent, 300 recommendations" in outcomes(first_demo)["Stream events"]
    assert [len(found["event"]["recommended_items"]) for found in first_demo["live_recommendations"]] == [
        5
    ] * 3
    assert len(first_demo["inference_api"]["items"]) == 5


def test_a_second_demo_changes_nothing_and_says_so(stack: Cli, first_demo: Any) -> None:
    answer = stack.ok("demo")
    assert "Nothing was changed: everything was there already." in answer.out
    again = stack.ok("demo", "--json").json
    assert not again["changed"]
    assert again["similar_items"] == first_demo["similar_items"]


def test_the_run_of_the_demo_is_in_the_history_with_its_figures(stack: Cli, first_demo: Any) -> None:
    (run,) = stack.ok("glue-status", "--json").json
    assert run["state"] == "SUCCEEDED"
    detail = stack.ok("glue-status", run["run_id"], "--json").json
    assert detail["rows_written"] == 2_500
    assert detail["estimated_cost_usd"] > 0


def test_the_published_model_and_embeddings_are_in_the_artefact_bucket(stack: Cli, first_demo: Any) -> None:
    bucket = outputs_of(stack)["ml_artifacts_bucket"]
    s3 = client(stack, "s3")
    manifest = json.loads(s3.get_object(Bucket=bucket, Key="model/manifest.json")["Body"].read())
    keys = {item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert {artifact["key"] for artifact in manifest["artifacts"].values()} <= keys
    assert not [key for key in keys if key.endswith((".pkl", ".pickle"))]


def test_a_stock_dump_flows_through_unchanged_and_twice_the_same(
    stack: Cli, first_demo: Any, real_data: Path
) -> None:
    dump, ratings = real_data / "mysqlsampledatabase.sql", real_data / "ratings.csv"
    filled = stack.ok("source", "init", "--dump", dump, "--ratings", ratings, "--yes", "--json").json
    assert (filled["customers"], filled["products"], filled["ratings"]) == (122, 110, 2_532)
    run = ("glue-run", "--arg", "grace_seconds=0", "--json")
    first = stack.ok(*run).json
    second = stack.ok(*run, "--arg", "partition_by=country").json
    assert first["rows_written"] == second["rows_written"] == 2_532
    trained = stack.ok("train", "--model-version", "real", "--json").json
    assert trained["report"]["ratings"] == 2_532


def test_a_job_whose_permission_is_taken_away_fails_and_deploy_gives_it_back(
    stack: Cli, first_demo: Any
) -> None:
    outputs = outputs_of(stack)
    job = client(stack, "glue").get_job(JobName=outputs["glue_job_name"])["Job"]
    deny_action(client(stack, "iam"), job["Role"], "secretsmanager:GetSecretValue")
    answer = stack.run("glue-run")
    assert answer.code == 8
    assert "not authorized" in answer.err
    assert "secretsmanager:GetSecretValue" in answer.err
    deployed = stack.ok("deploy", "--yes", "--json").json
    assert (deployed["changes"], deployed["outputs"]) == ({"update": 1}, outputs)


def test_an_unknown_job_is_answered_with_those_there_are(stack: Cli) -> None:
    answer = stack.run("glue-run", "no-such-job")
    assert answer.code == 2
    assert "vectorops-local-ratings-etl" in answer.err
