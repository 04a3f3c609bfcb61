"""StartJobRun on the local target, with scripts that need no Spark."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.integration.local.glue_jobs import (
    BUCKET,
    READ_SCRIPT,
    WRITE_LOGS,
    allow,
    create_job,
    create_role,
    log_lines,
    run_to_end,
    runs_folder,
    wait_for_end,
    wait_until,
    with_bucket,
)
from tests.integration.local.local_targets import environment_in, operator_of, wait_until_saved
from vectorops.aws import Aws
from vectorops.errors import UsageError
from vectorops.jobs import JobRun, follow_run, get_run, list_runs, start_run, stop_run
from vectorops.local import down, reset, status, up
from vectorops.local.glue_processes import processes_in
from vectorops.settings import Environment

MakeEnvironment = Callable[[str], Environment]

WAIT = "import time\nprint('begun')\ntime.sleep(600)\n"
SHOW_ARGUMENTS = "import json, sys\nprint(json.dumps(sys.argv[1:]))\n"
FAIL_ONCE = "import sys\nassert '_attempt_1' in sys.argv[-1], 'not yet'\n"
# Ignores the request to end, and so does a child of it that has left session and process group.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
print("begun")
time.sleep(600)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    environment = environment_in(tmp_path_factory.mktemp("glue"))
    up(environment)
    yield environment
    down(environment)


@pytest.fixture(scope="module")
def aws(project: Environment) -> Aws:
    """The local target of these tests with the operator's key, and a bucket for scripts."""
    return with_bucket(project)


@pytest.fixture(scope="module")
def role(aws: Aws) -> str:
    """A role that may do what every job must."""
    return create_role(aws, "worker", allow(READ_SCRIPT, WRITE_LOGS))


@pytest.fixture(scope="module", autouse=True)
def run_too_long(aws: Aws, role: str) -> str:
    """A run that will take longer than its limit; the shortest limit is a minute, in which the others run."""
    create_job(aws, "too-long", STUBBORN, role, Timeout=5, MaxRetries=1)
    return start_run(aws.client("glue"), "too-long", {}, timeout_minutes=1)


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def has_begun(aws: Aws) -> Callable[[JobRun], bool]:
    return lambda run: "begun" in log_lines(aws, run)


def test_arguments_of_the_job_are_overruled_by_those_of_the_run_except_the_fixed_ones(
    aws: Aws, role: str
) -> None:
    defaults = {"--colour": "red", "--size": "1", "--fixed": "no"}
    create_job(
        aws,
        "arguments",
        SHOW_ARGUMENTS,
        role,
        DefaultArguments=defaults,
        NonOverridableArguments={"--fixed": "yes"},
    )
    run = run_to_end(aws, "arguments", **{"--size": "2 big", "--fixed": "perhaps"})
    words = json.loads(log_lines(aws, run)[0])
    assert dict(zip(words[::2], words[1::2], strict=True)) == {
        "--colour": "red",
        "--size": "2 big",
        "--fixed": "yes",
        "--JOB_NAME": "arguments",
        "--JOB_RUN_ID": run.id,
    }
    assert run.arguments == {"--size": "2 big", "--fixed": "perhaps"}


# Goes on when somebody has read what it has printed.
PATIENT = """
import pathlib, sys, time
print("first")

while not pathlib.Path(sys.argv[sys.argv.index("--read") + 1]).exists():
    time.sleep(0.05)
time.sleep(1)
print("läst", end="")
"""


def test_a_run_tells_its_states_and_times_and_its_log_while_it_goes_on(
    aws: Aws, role: str, tmp_path: Path
) -> None:
    create_job(aws, "slow", PATIENT, role)
    began = datetime.now(UTC)
    run_id = start_run(aws.client("glue"), "slow", {"--read": str(tmp_path / "read")})
    states: list[str] = []
    lines: list[str] = []

    def note(line: str) -> None:
        lines.append(line)
        (tmp_path / "read").touch()

    run = follow_run(
        aws.client("glue"),
        aws.client("logs"),
        "slow",
        run_id,
        on_state=lambda run: states.append(run.state),
        on_log=note,
        pause_s=0.1,
    )
    assert states[-2:] == ["RUNNING", "SUCCEEDED"]
    assert states[:-2] in ([], ["STARTING"])
    assert lines == ["first", "läst"]
    assert run.started_at
    assert run.finished_at
    assert began.timestamp() - 1 < run.started_at.timestamp() < run.finished_at.timestamp()
    assert 1 <= run.execution_s <= (run.finished_at - run.started_at).total_seconds()
    assert run.error == ""


@pytest.mark.parametrize(
    ("name", "script", "error"),
    [
        ("raises", "raise ValueError('no good')", "ValueError: no good"),
        ("gives-up", "import sys\nsys.exit('gave up')", "SystemExit: gave up"),
        ("exits", "import os\nos._exit(3)", "the script ended with exit code 3"),
        ("is-killed", "import os\nos.kill(os.getpid(), 9)", "the script's process was killed by SIGKILL"),
        ("is-wrong", "1 +", "SyntaxError: invalid syntax"),
    ],
)
def test_a_script_that_does_not_end_well_is_a_failed_run_with_its_error(
    aws: Aws, role: str, name: str, script: str, error: str
) -> None:
    create_job(aws, name, script, role)
    run = run_to_end(aws, name)
    assert run.state == "FAILED"
    assert run.error.startswith(error)
    assert "Traceback" not in run.error
    assert "launch.py" not in "".join(log_lines(aws, run))


def test_a_script_has_the_permissions_of_its_role_and_no_more(aws: Aws) -> None:
    read_one = (["s3:GetObject"], [f"arn:aws:s3:::{BUCKET}/restricted.py"])
    role = create_role(aws, "restricted", allow(read_one, WRITE_LOGS))
    script = (
        "import boto3\ns3 = boto3.client('s3')\n"
        f"print(len(s3.get_object(Bucket='{BUCKET}', Key='restricted.py')['Body'].read()))\n"
        f"s3.get_object(Bucket='{BUCKET}', Key='other.py')"
    )
    create_job(aws, "restricted", script, role)
    run = run_to_end(aws, "restricted")
    assert log_lines(aws, run)[0] == str(len(script))
    assert run.state == "FAILED"
    assert "AccessDenied" in run.error


def test_a_job_fails_without_permission_to_read_its_script_or_without_a_role_that_trusts_glue(
    aws: Aws, role: str
) -> None:
    blind = create_role(aws, "blind", allow(WRITE_LOGS))
    create_job(aws, "blind", "print(1)", blind)
    run = run_to_end(aws, "blind")
    assert run.state == "FAILED"
    assert run.error.startswith(f"the job's role cannot read the script s3://{BUCKET}/blind.py: AccessDenied")

    create_job(aws, "no-role", "print(1)", role.replace("worker", "nobody"))
    run = run_to_end(aws, "no-role")
    assert run.state == "FAILED"
    assert run.error.startswith("glue.amazonaws.com cannot assume role")

    aws.client("s3").delete_object(Bucket=BUCKET, Key="no-role.py")
    aws.client("glue").update_job(
        JobName="no-role",
        JobUpdate={
            "Role": role,
            "Command": {"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/no-role.py"},
        },
    )
    assert "NoSuchKey" in run_to_end(aws, "no-role").error


def test_a_role_that_may_not_write_logs_has_a_run_without_a_log(aws: Aws) -> None:
    silent = create_role(aws, "silent", allow(READ_SCRIPT))
    create_job(aws, "silent", "print('unheard')", silent)
    run = run_to_end(aws, "silent")
    assert run.state == "SUCCEEDED"
    assert log_lines(aws, run) == []


def test_a_stopped_run_ends_with_all_its_processes_however_stubborn(
    aws: Aws, role: str, project: Environment, run_too_long: str
) -> None:
    create_job(aws, "stubborn", STUBBORN, role)
    glue = aws.client("glue")
    wait_until(aws, "too-long", run_too_long, has_begun(aws))
    others = {process.pid for process in processes_in(runs_folder(project))}
    run_id = start_run(glue, "stubborn", {})
    wait_until(aws, "stubborn", run_id, has_begun(aws))
    own = [process for process in processes_in(runs_folder(project)) if process.pid not in others]
    assert len(own) == 2
    stop_run(glue, "stubborn", run_id)
    # It has a few seconds to end by itself, which a busy machine may need for the question.
    assert get_run(glue, "stubborn", run_id).state in ("STOPPING", "STOPPED")
    assert wait_for_end(aws, "stubborn", run_id).state == "STOPPED"
    assert not [process for process in own if lives(process)]
    errors = glue.batch_stop_job_run(JobName="stubborn", JobRunIds=[run_id, "jr_unknown"])["Errors"]
    assert [error["ErrorDetail"]["ErrorCode"] for error in errors] == [
        "InvalidInputException",
        "EntityNotFoundException",
    ]


def test_no_more_runs_than_allowed_go_on_at_once(aws: Aws, role: str) -> None:
    create_job(aws, "twice", WAIT, role, ExecutionProperty={"MaxConcurrentRuns": 2})
    glue = aws.client("glue")
    first, second = (start_run(glue, "twice", {}) for _ in range(2))
    with pytest.raises(ClientError) as caught:
        glue.start_job_run(JobName="twice")
    assert caught.value.response["Error"]["Code"] == "ConcurrentRunsExceededException"
    stop_run(glue, "twice", first)
    wait_for_end(aws, "twice", first)
    third = start_run(glue, "twice", {})
    assert [run.id for run in list_runs(glue, "twice")] == [third, second, first]
    pages = glue.get_paginator("get_job_runs").paginate(JobName="twice", PaginationConfig={"PageSize": 2})
    assert [[run["Id"] for run in page["JobRuns"]] for page in pages] == [[third, second], [first]]
    glue.delete_job(JobName="twice")


def test_a_deleted_job_leaves_no_process_behind(aws: Aws, role: str, project: Environment) -> None:
    create_job(aws, "deleted", WAIT, role)
    glue = aws.client("glue")
    run_id = start_run(glue, "deleted", {})
    wait_until(aws, "deleted", run_id, has_begun(aws))
    own = [one for one in processes_in(runs_folder(project)) if run_id in one.cmdline()]
    assert own
    glue.delete_job(JobName="deleted")
    while any(lives(process) for process in own):
        time.sleep(0.05)
    with pytest.raises(UsageError, match="no run"):
        get_run(glue, "deleted", run_id)


def test_a_failed_run_is_repeated_as_often_as_the_job_says(aws: Aws, role: str) -> None:
    create_job(aws, "again", FAIL_ONCE, role, MaxRetries=2)
    first = run_to_end(aws, "again")
    assert (first.state, first.error, first.attempt) == ("FAILED", "AssertionError: not yet", 0)
    second = wait_for_end(aws, "again", f"{first.id}_attempt_1")
    assert (second.state, second.error, second.attempt) == ("SUCCEEDED", "", 1)
    raw = aws.client("glue").get_job_runs(JobName="again")["JobRuns"]
    assert [run.get("PreviousRunId") for run in raw] == [first.id, None], "a third run was started"


def test_what_cannot_be_run_here_is_refused(aws: Aws, role: str) -> None:
    glue = aws.client("glue")
    create_job(aws, "shell", "print(1)", role)
    with pytest.raises(UsageError) as caught:
        start_run(glue, "shel", {})
    assert "shell" in caught.value.why
    asked = {"--extra-jars": "s3://scripts/more.jar", "--job-bookmark-option": "job-bookmark-enable"}
    run = run_to_end(aws, "shell", **asked)
    assert run.state == "FAILED"
    assert run.error.endswith("does not support job argument --extra-jars, --job-bookmark-option")
    command = {"Name": "pythonshell", "ScriptLocation": f"s3://{BUCKET}/shell.py"}
    glue.update_job(JobName="shell", JobUpdate={"Role": role, "Command": command})
    with pytest.raises(ClientError, match="runs glueetl jobs, not pythonshell jobs"):
        glue.start_job_run(JobName="shell")


def test_a_failed_run_reaches_the_topic_of_an_eventbridge_rule_and_a_good_one_does_not(
    aws: Aws, role: str
) -> None:
    messages = subscribe_to_failures(aws)
    create_job(aws, "good", "print(1)", role)
    create_job(aws, "bad", "raise ValueError('no good')", role)
    run_to_end(aws, "good")
    run = run_to_end(aws, "bad")
    assert json.loads(messages()) == f"bad ended as FAILED: ValueError: no good ({run.id})"


def subscribe_to_failures(aws: Aws) -> Callable[[], str]:
    """Wire rule, topic and queue as the etl module does with its topic; return what receives one message."""
    events, sns, sqs = aws.client("events"), aws.client("sns"), aws.client("sqs")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue_arn = topic.replace("sns", "sqs")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Resource": queue_arn}]})
    queue = sqs.create_queue(QueueName="alerts", Attributes={"Policy": policy})["QueueUrl"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes=raw)
    pattern = {
        "source": ["aws.glue"],
        "detail-type": ["Glue Job State Change"],
        "detail": {"jobName": ["good", "bad"], "state": ["FAILED", "TIMEOUT"]},
    }
    events.put_rule(Name="failed", EventPattern=json.dumps(pattern))
    words = {
        "job": "$.detail.jobName",
        "state": "$.detail.state",
        "message": "$.detail.message",
        "run": "$.detail.jobRunId",
    }
    template = '"<job> ended as <state>: <message> (<run>)"'
    transformer = {"InputPathsMap": words, "InputTemplate": template}
    events.put_targets(Rule="failed", Targets=[{"Id": "1", "Arn": topic, "InputTransformer": transformer}])

    def receive() -> str:
        found: list[dict[str, Any]] = []
        while not found:
            found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        assert len(found) == 1
        return str(found[0]["Body"])

    return receive


def test_a_role_may_use_the_connection_that_it_is_allowed_and_no_other(aws: Aws) -> None:
    glue = "arn:aws:glue:us-east-1:000000000000"
    connection = (["glue:GetConnection"], [f"{glue}:catalog", f"{glue}:connection/allowed"])
    table = (["glue:GetTable"], [f"{glue}:table/lake/ratings"])
    role = create_role(aws, "connected", allow(READ_SCRIPT, WRITE_LOGS, connection, table))
    for name in ("allowed", "other"):
        properties = {"JDBC_CONNECTION_URL": "jdbc:mysql://127.0.0.1:3306/source"}
        entry = {"Name": name, "ConnectionType": "JDBC", "ConnectionProperties": properties}
        aws.client("glue").create_connection(ConnectionInput=entry)
    script = """
import boto3, botocore
glue = boto3.client("glue")
print(glue.get_connection(Name="allowed")["Connection"]["Name"])
try:
    glue.get_table(DatabaseName="lake", Name="ratings")
except glue.exceptions.EntityNotFoundException:
    print("no table")
for call, arguments in (
    (glue.get_connection, {"Name": "other"}),
    (glue.get_table, {"DatabaseName": "lake", "Name": "other"}),
):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as exc:
        print(exc.response["Error"]["Code"])
"""
    create_job(aws, "connected", script, role)
    run = run_to_end(aws, "connected")
    assert log_lines(aws, run) == ["allowed", "no table", "AccessDeniedException", "AccessDeniedException"]


def test_runs_that_a_killed_server_leaves_behind_are_failed_and_their_processes_dead(
    make_environment: MakeEnvironment,
) -> None:
    environment = make_environment("killed")
    up(environment)
    aws = with_bucket(environment)
    role = create_role(aws, "worker", allow(READ_SCRIPT, WRITE_LOGS))
    create_job(aws, "done", "print('done')", role)
    create_job(aws, "orphan", STUBBORN, role)
    done = run_to_end(aws, "done")
    run_id = start_run(aws.client("glue"), "orphan", {})
    wait_until(aws, "orphan", run_id, has_begun(aws))
    orphans = processes_in(runs_folder(environment))
    assert len(orphans) == 2
    wait_until_saved(environment, "glue", run_id)
    wait_until_saved(environment, "cloudwatch_logs", "begun")
    kill_server(environment)
    assert all(lives(process) for process in orphans)

    up(environment)
    assert not [process for process in orphans if lives(process)]
    assert not list(runs_folder(environment).iterdir())
    aws = operator_of(environment)
    orphan = get_run(aws.client("glue"), "orphan", run_id)
    assert (orphan.state, orphan.error) == ("FAILED", "the local target ended while the run was going on")
    assert orphan.finished_at
    assert get_run(aws.client("glue"), "done", done.id) == done
    assert log_lines(aws, done) == ["done"]


def kill_server(environment: Environment) -> None:
    os.kill(status(environment).pid or 0, signal.SIGKILL)
    while status(environment).state != "crashed":
        time.sleep(0.01)


def test_a_reset_ends_what_a_killed_server_has_left_running(make_environment: MakeEnvironment) -> None:
    environment = make_environment("reset")
    up(environment)
    aws = with_bucket(environment)
    create_job(aws, "orphan", WAIT, create_role(aws, "worker", allow(READ_SCRIPT, WRITE_LOGS)))
    wait_until(aws, "orphan", start_run(aws.client("glue"), "orphan", {}), has_begun(aws))
    kill_server(environment)
    assert processes_in(runs_folder(environment))
    reset(environment)
    assert not processes_in(runs_folder(environment))
    assert not runs_folder(environment).exists()


def test_a_run_that_is_going_on_when_the_local_target_is_stopped_has_failed(
    make_environment: MakeEnvironment,
) -> None:
    environment = make_environment("stopped")
    up(environment)
    aws = with_bucket(environment)
    create_job(aws, "waits", WAIT, create_role(aws, "worker", allow(READ_SCRIPT, WRITE_LOGS)), MaxRetries=1)
    run_id = start_run(aws.client("glue"), "waits", {})
    wait_until(aws, "waits", run_id, has_begun(aws))
    down(environment)
    assert not processes_in(runs_folder(environment))
    up(environment)
    runs = list_runs(operator_of(environment).client("glue"), "waits")
    assert [(run.id, run.state) for run in runs] == [(run_id, "FAILED")]
    assert runs[0].error == "the local target ended while the run was going on"


def test_a_run_that_takes_longer_than_its_limit_is_killed(aws: Aws, run_too_long: str) -> None:
    run = wait_for_end(aws, "too-long", run_too_long)
    assert run.state == "TIMEOUT"
    assert run.error == "the run took longer than its limit of 1 minute"
    assert 60 <= run.execution_s < 300, "the limit of the run counts, not the one of the job"
    assert log_lines(aws, run) == ["begun"]
    assert [one.id for one in list_runs(aws.client("glue"), "too-long")] == [run.id], "timeouts are repeated"
