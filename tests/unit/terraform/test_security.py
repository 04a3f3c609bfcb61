"""What the replaced systems left open stays shut. Each test is named after what one of them did."""

import re
from pathlib import Path

from tests.unit.terraform.terraform_files import TERRAFORM, Block, all_blocks, strings, tf_files

# Actions for which AWS has no resource to name; anything else has to say what it acts on.
# https://docs.aws.amazon.com/service-authorization/latest/reference/
WITHOUT_RESOURCE = {
    "cloudwatch:PutMetricData",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
# In the policy of a KMS key, "*" means that key.
KEY_POLICIES = {"alerts_key"}

SECRET_ATTRIBUTES = re.compile(
    r"^\s*\"?(password|PASSWORD|master_password|secret_string|auth_token)\"? +=", re.MULTILINE
)


def test_no_iam_statement_allows_every_action_as_the_lab_did() -> None:
    wide = [
        f"{block}: {action}"
        for block, statement in _allow_statements()
        for action in strings(statement.attributes["actions"])
        if "*" in action
    ]
    assert wide == []


def test_no_iam_statement_reaches_every_resource_as_the_lab_did() -> None:
    wide = [
        f"{block}: {statement.attributes['sid']}"
        for block, statement in _allow_statements()
        if "*" in strings(statement.attributes.get("resources", ""))
        and block.labels[1] not in KEY_POLICIES
        and not set(strings(statement.attributes["actions"])) <= WITHOUT_RESOURCE
    ]
    assert wide == []


def test_no_role_borrows_a_wide_policy_of_aws_as_the_knowledge_base_did() -> None:
    assert [path for path in tf_files() if ":policy/" in path.read_text()] == []


def test_every_policy_is_a_document_whose_statements_say_what_they_are_for() -> None:
    documents = all_blocks("data", label="aws_iam_policy_document")
    unnamed = [str(d) for d in documents for s in _statements(d) if "sid" not in s.attributes]
    assert documents
    assert unnamed == []
    assert [path for path in tf_files() if re.search(r"\bStatement\b\"? *[=:]", path.read_text())] == []


def test_nothing_is_open_to_the_whole_internet_as_the_lab_database_was() -> None:
    files = [*tf_files(), *TERRAFORM.glob("environments/*.tfvars")]
    assert [path for path in files if re.search(r"0\.0\.0\.0/0|::/0", path.read_text())] == []


def test_no_database_has_a_public_address_as_the_lab_database_had() -> None:
    databases = all_blocks("resource", label="aws_db_instance")
    assert databases
    assert [str(d) for d in databases if d.attributes.get("publicly_accessible") != "false"] == []


def test_every_database_is_encrypted_and_keeps_its_own_password_unlike_the_lab() -> None:
    databases = all_blocks("resource", label="aws_db_instance")
    wrong = [
        str(d)
        for d in databases
        if d.attributes.get("storage_encrypted") != "true"
        or d.attributes.get("manage_master_user_password") != "true"
    ]
    assert wrong == []


def test_every_stream_is_encrypted_unlike_the_lab() -> None:
    streams = all_blocks("resource", label="aws_kinesis_stream")
    assert streams
    assert [str(s) for s in streams if s.attributes.get("encryption_type") != '"KMS"'] == []


def test_every_url_of_a_function_asks_for_a_signature_unlike_the_lab() -> None:
    urls = all_blocks("resource", label="aws_lambda_function_url")
    assert urls
    assert [str(u) for u in urls if u.attributes.get("authorization_type") != '"AWS_IAM"'] == []


def test_the_job_finds_its_password_by_the_arn_of_a_secret_unlike_the_lab() -> None:
    connections = all_blocks("resource", label="aws_glue_connection")
    to_databases = [c for c in connections if c.attributes["connection_type"] != '"NETWORK"']
    assert to_databases
    assert [str(c) for c in to_databases if "SECRET_ID" not in c.attributes["connection_properties"]] == []


def test_the_key_policies_belong_to_keys() -> None:
    policies = {key.attributes["policy"] for key in all_blocks("resource", label="aws_kms_key")}
    assert policies == {f"data.aws_iam_policy_document.{name}.json" for name in KEY_POLICIES}


def test_no_password_is_written_into_a_resource_as_in_the_lab_state() -> None:
    assert [path for path in tf_files() if SECRET_ATTRIBUTES.search(path.read_text())] == []


def test_no_placeholder_is_left_to_be_edited_by_hand_as_in_the_lab() -> None:
    marks = re.compile(r"%[A-Z_]+%|PLACEHOLDER|CHANGE_?ME|TODO")
    files: list[Path] = [*tf_files(), *TERRAFORM.glob("environments/*.tfvars")]
    assert [path for path in files if marks.search(path.read_text())] == []


def test_no_arn_assumes_the_commercial_partition() -> None:
    assert [path for path in tf_files() if "arn:aws:" in path.read_text()] == []


def _allow_statements() -> list[tuple[Block, Block]]:
    return [
        (document, statement)
        for document in all_blocks("data", label="aws_iam_policy_document")
        for statement in _statements(document)
        if statement.attributes.get("effect") != '"Deny"'
    ]


def _statements(document: Block) -> list[Block]:
    return [
        block
        for block in document.walk()
        if block.kind == "statement" or (block.kind == "content" and "actions" in block.attributes)
    ]
