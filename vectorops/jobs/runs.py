"""Runs of a Glue job, as Glue describes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from vectorops.errors import AwsError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

RUNNING_STATES = frozenset({"STARTING", "RUNNING", "STOPPING", "WAITING"})
SUCCEEDED = "SUCCEEDED"
# https://docs.aws.amazon.com/glue/latest/dg/add-job.html: data processing units of one worker.
DPU_PER_WORKER = {
    "G.025X": 0.25,
    "Standard": 1.0,
    "G.1X": 1.0,
    "G.2X": 2.0,
    "G.4X": 4.0,
    "G.8X": 8.0,
    "Z.2X": 2.0,
}
# https://aws.amazon.com/glue/pricing/: Spark jobs, most regions; billed by the second, one minute at least.
USD_PER_DPU_HOUR = 0.44
MINIMUM_BILLED_S = 60


@dataclass(frozen=True)
class JobRun:
    """One run of a job.

    Attributes:
        state: As Glue names it: STARTING, RUNNING, SUCCEEDED, FAILED, TIMEOUT, STOPPED, ….
        execution_s: Seconds of work, without the wait for workers; 0 while it has not begun.
        error: What Glue says about a failure, or "".
        log_group: CloudWatch log group that "/output" and "/error" are appended to.
    """

    id: str
    job: str
    state: str
    started_at: datetime | None
    finished_at: datetime | None
    execution_s: int
    error: str
    arguments: Mapping[str, str]
    worker_type: str
    workers: int
    attempt: int
    log_group: str

    @property
    def is_running(self) -> bool:
        """Whether the state may still change."""
        return self.state in RUNNING_STATES

    @property
    def has_succeeded(self) -> bool:
        """Whether the script ended well."""
        return self.state == SUCCEEDED

    @property
    def estimated_cost_usd(self) -> float:
        """List price of the run on AWS at $0.44 a DPU-hour, a minute at least; regions differ."""
        if not self.execution_s:
            return 0.0
        dpus = DPU_PER_WORKER.get(self.worker_type, 1.0) * self.workers
        return round(dpus * max(self.execution_s, MINIMUM_BILLED_S) / 3600 * USD_PER_DPU_HOUR, 4)


def start_run(
    glue: "GlueClient", job: str, arguments: Mapping[str, str], *, timeout_minutes: int | None = None
) -> str:
    """Start a run and return its id.

    Args:
        glue: Glue client.
        job: Name of the job.
        arguments: Arguments that overrule the job's own, such as {"--partition_by": "country"}.
        timeout_minutes: Overrules the job's own limit.

    Raises:
        UsageError: There is no such job, or it runs as often as it may at once.
        AwsError: Glue refused for another reason.
    """
    options: dict[str, Any] = {"Timeout": timeout_minutes} if timeout_minutes else {}
    try:
        return glue.start_job_run(JobName=job, Arguments=dict(arguments), **options)["JobRunId"]
    except ClientError as exc:
        raise _start_error(glue, job, exc) from exc
    except BotoCoreError as exc:
        raise AwsError(f"cannot start job '{job}'", why=str(exc)) from exc


def get_run(glue: "GlueClient", job: str, run_id: str) -> JobRun:
    """Return one run.

    Raises:
        UsageError: The job has no such run.
        AwsError: Glue refused for another reason.
    """
    try:
        return _job_run(glue.get_job_run(JobName=job, RunId=run_id)["JobRun"])
    except ClientError as exc:
        if _code(exc) == "EntityNotFoundException":
            hint = "'vectorops glue-status' lists the runs there are"
            raise UsageError(f"job '{job}' has no run '{run_id}'", hint=hint) from exc
        raise AwsError(f"cannot read run '{run_id}' of job '{job}'", why=str(exc)) from exc


def list_runs(glue: "GlueClient", job: str, *, limit: int = 20) -> list[JobRun]:
    """Return the latest runs of a job, newest first.

    Raises:
        UsageError: There is no such job.
        AwsError: Glue refused for another reason.
    """
    try:
        pages = glue.get_paginator("get_job_runs").paginate(JobName=job, PaginationConfig={"MaxItems": limit})
        runs = [_job_run(run) for page in pages for run in page["JobRuns"]]
    except ClientError as exc:
        if _code(exc) == "EntityNotFoundException":
            raise _unknown_job(glue, job) from exc
        raise AwsError(f"cannot list the runs of job '{job}'", why=str(exc)) from exc
    return sorted(runs, key=lambda run: (run.started_at is not None, run.started_at), reverse=True)


def stop_run(glue: "GlueClient", job: str, run_id: str) -> None:
    """Ask Glue to stop a run; it is STOPPING, then STOPPED.

    Raises:
        AwsError: Glue refused, for example because the run has ended.
    """
    try:
        errors = glue.batch_stop_job_run(JobName=job, JobRunIds=[run_id]).get("Errors", [])
    except ClientError as exc:
        raise AwsError(f"cannot stop run '{run_id}' of job '{job}'", why=str(exc)) from exc
    if errors:
        detail = errors[0].get("ErrorDetail", {})
        raise AwsError(f"cannot stop run '{run_id}' of job '{job}'", why=detail.get("ErrorMessage", ""))


def list_jobs(glue: "GlueClient") -> list[str]:
    """Return the names of the jobs in this account and region."""
    return sorted(name for page in glue.get_paginator("list_jobs").paginate() for name in page["JobNames"])


def _start_error(glue: "GlueClient", job: str, error: ClientError) -> UsageError | AwsError:
    if _code(error) == "EntityNotFoundException":
        return _unknown_job(glue, job)
    if _code(error) == "ConcurrentRunsExceededException":
        return UsageError(
            f"job '{job}' is running as often as it may at once",
            why=error.response["Error"].get("Message", ""),
            hint="wait for it with 'vectorops glue-status', or stop it",
        )
    return AwsError(f"cannot start job '{job}'", why=str(error))


def _unknown_job(glue: "GlueClient", job: str) -> UsageError:
    names = list_jobs(glue)
    there_are = f"the jobs are {', '.join(names)}" if names else "there is no job"
    return UsageError(
        f"no job is called '{job}'", why=there_are, hint="run 'vectorops deploy' if it should exist"
    )


def _job_run(run: Mapping[str, Any]) -> JobRun:
    return JobRun(
        id=run["Id"],
        job=run["JobName"],
        state=run["JobRunState"],
        started_at=run.get("StartedOn"),
        finished_at=run.get("CompletedOn"),
        execution_s=int(run.get("ExecutionTime") or 0),
        error=run.get("ErrorMessage") or "",
        arguments=run.get("Arguments") or {},
        worker_type=run.get("WorkerType") or "G.1X",
        workers=int(run.get("NumberOfWorkers") or 1),
        attempt=int(run.get("Attempt") or 0),
        log_group=run.get("LogGroupName") or "/aws-glue/jobs",
    )


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
