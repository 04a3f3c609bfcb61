"""Glue jobs in tests: their scripts, roles and runs, through the APIs alone."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.local.local_targets import operator_of
from vectorops.aws import Aws
from vectorops.jobs import JobRun, get_run, start_run
from vectorops.settings import Environment

BUCKET = "scripts"
GLUE_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
LOGS = "arn:aws:logs:us-east-1:000000000000:log-group:/aws-glue/jobs/*"


def allow(*statements: tuple[list[str], list[str]]) -> str:
    """Return a policy that allows actions on resources."""
    allowed = [{"Effect": "Allow", "Action": actions, "Resource": on} for actions, on in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})


READ_SCRIPT = (["s3:GetObject"], [f"arn:aws:s3:::{BUCKET}/*"])
WRITE_LOGS = (["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], [LOGS])


def with_bucket(environment: Environment) -> Aws:
    """Return a running local target with the operator's key, and a bucket for scripts in it."""
    aws = operator_of(environment)
    aws.client("s3").create_bucket(Bucket=BUCKET)
    return aws


def runs_folder(environment: Environment) -> Path:
    """Return where runs that are going on have their work folders."""
    return environment.state_dir / "local" / "runs"


def create_role(aws: Aws, name: str, policy: str) -> str:
    iam = aws.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(GLUE_TRUST))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=policy)
    return str(role["Arn"])


def create_job(aws: Aws, name: str, script: str, role_arn: str, **definition: Any) -> None:
    """Upload a script and make a job of it."""
    aws.client("s3").put_object(Bucket=BUCKET, Key=f"{name}.py", Body=script.encode())
    command = {"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/{name}.py", "PythonVersion": "3"}
    aws.client("glue").create_job(Name=name, Role=role_arn, Command=command, GlueVersion="5.1", **definition)


def run_to_end(aws: Aws, job: str, **arguments: str) -> JobRun:
    return wait_for_end(aws, job, start_run(aws.client("glue"), job, arguments))


def wait_for_end(aws: Aws, job: str, run_id: str) -> JobRun:
    return wait_until(aws, job, run_id, lambda run: not run.is_running)


def wait_until(aws: Aws, job: str, run_id: str, condition: Callable[[JobRun], bool]) -> JobRun:
    while not condition(run := get_run(aws.client("glue"), job, run_id)):
        time.sleep(0.05)
    return run


def log_lines(aws: Aws, run: JobRun, group: str = "output") -> list[str]:
    """Lines of a run's log; none when there is no log."""
    logs = aws.client("logs")
    place = {"logGroupName": f"{run.log_group}/{group}", "logStreamName": f"{run.id}-driver"}
    try:
        return [event["message"] for event in logs.get_log_events(**place, startFromHead=True)["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []
