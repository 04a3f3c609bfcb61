"""Following a run: its states and its log lines, as they come."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from vectorops.errors import AwsError
from vectorops.jobs.runs import JobRun, get_run

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_logs import CloudWatchLogsClient

TRANSIENT_FAILURES_IN_A_ROW = 8
LONGEST_PAUSE_S = 60.0


class LogTail:
    """Reads what is new in the log streams of one run.

    Args:
        logs: CloudWatch Logs client.
        group: Log group.
        run_id: The streams are called so, or so with a suffix such as "-driver".
    """

    def __init__(self, logs: "CloudWatchLogsClient", group: str, run_id: str) -> None:
        self._logs = logs
        self._group = group
        self._run_id = run_id
        self._tokens: dict[str, str] = {}

    def read_new(self) -> list[str]:
        """Return the lines since the last call, stream by stream; none while there is no log yet."""
        try:
            pages = self._logs.get_paginator("describe_log_streams").paginate(
                logGroupName=self._group, logStreamNamePrefix=self._run_id
            )
            streams = [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
        except ClientError as exc:
            if exc.response["Error"]["Code"] == "ResourceNotFoundException":
                return []
            raise
        # Of a repeated attempt the id begins with this run's, and an underscore follows.
        names = [name for name in streams if name == self._run_id or name.startswith(f"{self._run_id}-")]
        return [line for name in names for line in self._read_stream(name)]

    def _read_stream(self, name: str) -> list[str]:
        lines: list[str] = []
        while True:
            token = self._tokens.get(name)
            after: Any = {"nextToken": token} if token else {}
            answer = self._logs.get_log_events(
                logGroupName=self._group, logStreamName=name, startFromHead=True, **after
            )
            lines += [line for event in answer["events"] for line in event["message"].splitlines()]
            self._tokens[name] = answer["nextForwardToken"]
            # CloudWatch gives the same token again at the end of a stream.
            if answer["nextForwardToken"] == token or not answer["events"]:
                return lines


def follow_run(
    glue: "GlueClient",
    logs: "CloudWatchLogsClient",
    job: str,
    run_id: str,
    *,
    on_state: Callable[[JobRun], None],
    on_log: Callable[[str], None],
    pause_s: float = 2.0,
    sleep: Callable[[float], None] = time.sleep,
) -> JobRun:
    """Wait until a run has ended, and return it.

    Throttling and passing faults are waited out, longer each time.

    Args:
        glue: Glue client.
        logs: CloudWatch Logs client.
        job: Name of the job.
        run_id: As `start_run` returned it.
        on_state: Called with the run whenever its state has changed.
        on_log: Called with each line of the job's output.
        pause_s: Seconds between two looks.
        sleep: Waits; takes seconds.

    Raises:
        AwsError: Glue cannot be asked, several times in a row.
    """
    state, failures = "", 0
    tail: LogTail | None = None
    while True:
        try:
            run = get_run(glue, job, run_id)
            tail = tail or LogTail(logs, f"{run.log_group}/output", run_id)
            for line in tail.read_new():
                on_log(line)
            failures = 0
        except (AwsError, ClientError, BotoCoreError) as exc:
            failures += 1
            if failures >= TRANSIENT_FAILURES_IN_A_ROW:
                raise AwsError(f"lost sight of run '{run_id}' of job '{job}'", why=str(exc)) from exc
            sleep(min(pause_s * 2**failures, LONGEST_PAUSE_S))
            continue
        if run.state != state:
            state = run.state
            on_state(run)
        if not run.is_running:
            return run
        sleep(pause_s)
