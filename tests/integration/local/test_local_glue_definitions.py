from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from vectorops.aws import Aws

ACCOUNT = "arn:aws:glue:us-east-1:000000000000"
TAGS = {"Project": "vectorops"}
ROLE = "arn:aws:iam::000000000000:role/etl"
COMMAND = {"Name": "glueetl", "ScriptLocation": "s3://scripts/etl.py", "PythonVersion": "3"}


@pytest.fixture
def job(operator: Aws) -> Iterator[dict[str, Any]]:
    glue = operator.client("glue")
    wanted = {"Name": "etl", "Role": ROLE, "Command": COMMAND, "ExecutionProperty": {"MaxConcurrentRuns": 3}}
    glue.create_job(**wanted, Tags=TAGS, ExecutionClass="FLEX")
    yield glue.get_job(JobName="etl")["Job"]
    glue.delete_job(JobName="etl")


def test_a_job_keeps_its_tags_concurrency_and_execution_class(operator: Aws, job: dict[str, Any]) -> None:
    assert job["ExecutionProperty"] == {"MaxConcurrentRuns": 3}
    assert job["ExecutionClass"] == "FLEX"
    assert operator.client("glue").get_tags(ResourceArn=f"{ACCOUNT}:job/etl")["Tags"] == TAGS


def test_an_update_overwrites_what_it_leaves_out(operator: Aws, job: dict[str, Any]) -> None:
    glue = operator.client("glue")
    glue.update_job(JobName="etl", JobUpdate={"Role": ROLE, "Command": COMMAND})
    updated = glue.get_job(JobName="etl")["Job"]
    assert updated["ExecutionProperty"] == {"MaxConcurrentRuns": 1}
    assert "ExecutionClass" not in updated


def test_a_connection_keeps_its_tags(operator: Aws) -> None:
    glue = operator.client("glue")
    properties = {"JDBC_CONNECTION_URL": "jdbc:mysql://127.0.0.1:3306/source", "SECRET_ID": "source"}
    connection = {"Name": "source", "ConnectionType": "JDBC", "ConnectionProperties": properties}
    glue.create_connection(ConnectionInput=connection, Tags=TAGS)
    assert glue.get_tags(ResourceArn=f"{ACCOUNT}:connection/source")["Tags"] == TAGS
    glue.delete_connection(ConnectionName="source")


def test_a_crawler_has_its_tags_and_the_defaults_of_aws_and_does_not_pretend_to_crawl(operator: Aws) -> None:
    glue, iam = operator.client("glue"), operator.client("iam")
    iam.create_role(RoleName="crawler", AssumeRolePolicyDocument='{"Statement": []}')
    role = ROLE.replace("etl", "crawler")
    targets = {"S3Targets": [{"Path": "s3://lake/ratings/"}]}
    glue.create_crawler(Name="ratings", Role=role, DatabaseName="lake", Targets=targets, Tags=TAGS)
    crawler = glue.get_crawler(Name="ratings")["Crawler"]
    assert crawler["RecrawlPolicy"] == {"RecrawlBehavior": "CRAWL_EVERYTHING"}
    assert crawler["LineageConfiguration"] == {"CrawlerLineageSettings": "DISABLE"}
    assert glue.get_tags(ResourceArn=f"{ACCOUNT}:crawler/ratings")["Tags"] == TAGS
    with pytest.raises(ClientError, match="runs no crawlers"):
        glue.start_crawler(Name="ratings")
    glue.delete_crawler(Name="ratings")
    iam.delete_role(RoleName="crawler")
