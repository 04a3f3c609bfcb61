"""The deployed stack as a whole: it is what the sources say, holds no secret, and enforces IAM."""

import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from botocore.exceptions import ClientError

from tests.e2e.aws import client, listed
from tests.e2e.cli import Answer, Cli
from tests.e2e.deliveries import outputs_of

KEY = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000"
# AWS knows no resources for these: Service Authorization Reference, "Actions defined by …".
WITHOUT_RESOURCES = {
    "cloudwatch:PutMetricData",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcAttribute",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcs",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


@pytest.fixture(scope="module")
def state_document(stack: Cli) -> str:
    """`terraform show -json` of the deployed stack."""
    folder = stack.project / ".vectorops/local/terraform"
    done = subprocess.run(
        ["terraform", "show", "-json"], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_plan_directly_after_deploy_has_no_changes(stack: Cli) -> None:
    assert stack.ok("plan", "--json").json == {"changes": [], "changed_outputs": []}


def test_a_second_deploy_changes_nothing_and_says_so(stack: Cli) -> None:
    answer = stack.ok("deploy")
    assert "No changes: 'local' is what the sources say." in answer.out


def test_the_real_password_is_nowhere_in_the_terraform_state(stack: Cli, state_document: str) -> None:
    password = urlsplit(stack.ok("local", "dsn", "--password").out.strip()).password
    assert password
    assert len(password) > 12
    assert password not in state_document
    assert password not in (stack.project / ".vectorops/local/terraform.tfstate").read_text()


def test_no_role_may_do_everything_as_the_labs_glue_role_could(state_document: str) -> None:
    policies = [
        json.loads(resource["values"]["policy"])
        for resource in _resources(json.loads(state_document)["values"]["root_module"])
        if resource["type"] == "aws_iam_role_policy"
    ]
    statements = [statement for policy in policies for statement in listed(policy["Statement"])]
    assert len(statements) > 10
    for statement in statements:
        actions = set(listed(statement["Action"]))
        assert not {action for action in actions if action == "*" or action.endswith(":*")}, statement
        assert "*" not in listed(statement["Resource"]) or actions <= WITHOUT_RESOURCES, statement


def test_no_port_is_open_to_the_world_as_the_labs_database_was(state_document: str) -> None:
    assert "0.0.0.0/0" not in state_document
    assert "::/0" not in state_document


def test_the_import_role_reads_the_artefact_prefix_and_nothing_else_where_the_lab_had_no_permission(
    stack: Cli,
) -> None:
    outputs = outputs_of(stack)
    iam, role = client(stack, "iam"), outputs["s3_import_role_arn"].rsplit("/", 1)[1]
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    bucket = f"arn:aws:s3:::{outputs['ml_artifacts_bucket']}"
    granted = {
        (action, resource)
        for statement in document["Statement"]
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }
    assert granted == {("s3:GetObject", f"{bucket}/embeddings/*"), ("s3:ListBucket", bucket)}


def test_the_url_of_the_database_is_one_that_psql_and_libpq_accept(stack: Cli) -> None:
    assert urlsplit(stack.ok("local", "dsn").out.strip()).password is None
    with psycopg.connect(stack.ok("local", "dsn").out.strip()) as connection:
        assert connection.execute("SELECT extname FROM pg_extension WHERE extname = 'vector'").fetchone()


def test_status_tells_versions_tables_and_resources(stack: Cli) -> None:
    report = stack.ok("status", "--json").json
    assert report["database"]["versions"]["pgvector"]
    assert {table["table"]["name"] for table in report["database"]["tables"]} >= {"item_emb", "user_emb"}
    resources = {(one["kind"], one["name"]): one["state"] for one in report["resources"]}
    assert resources["database", "vectorops-local-vector-db"] == "available"
    assert ("Glue job", "vectorops-local-embeddings-load") in resources


def test_a_job_that_is_not_the_etl_job_is_not_said_to_be_started_as_that_one_is(stack: Cli) -> None:
    answer = stack.ok("glue-status", "--job", "vectorops-local-embeddings-load")
    assert "next: vectorops glue-run" not in answer.out + answer.err


def test_doctor_finds_nothing_broken(stack: Cli) -> None:
    checks = stack.ok("doctor", "--json").json
    assert [check for check in checks if check["verdict"] == "failed"] == []


def test_without_a_terminal_and_without_yes_a_destroy_stops(stack: Cli) -> None:
    answer = stack.run("destroy")
    assert answer.code == 2
    assert "there is no terminal to ask on" in answer.err


def test_replacing_the_database_is_refused_unless_it_is_named(stack: Cli, tmp_path: Path) -> None:
    var_file = stack.project / "terraform/environments/local.tfvars"
    changed = tmp_path / "changed.tfvars"
    key = f'database = {{\n  kms_key_arn = "{KEY}"'
    changed.write_text(var_file.read_text().replace("database = {", key))
    answer = _with_var_file(stack, changed, "deploy", "--yes")
    assert answer.code == 2
    assert "database 'vectorops-local-vector-db' and lose its data" in answer.err
    assert "--lose-database vectorops-local-vector-db" in answer.err


def test_an_unknown_secret_is_an_aws_error_and_not_a_traceback(stack: Cli) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client(stack, "secretsmanager").get_secret_value(SecretId="rds!db-missing")


def _with_var_file(stack: Cli, var_file: Path, *args: str) -> Answer:
    config = stack.project / "vectorops.toml"
    original = config.resolve()
    config.unlink()
    config.write_text(original.read_text().replace("terraform/environments/local.tfvars", str(var_file)))
    try:
        return stack.run(*args)
    finally:
        config.unlink()
        config.symlink_to(original)


def _resources(module: dict[str, Any]) -> list[dict[str, Any]]:
    children = [resource for child in module.get("child_modules", []) for resource in _resources(child)]
    return [*module.get("resources", []), *children]
