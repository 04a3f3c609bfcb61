"""One run of a Glue job: its deployed script on local Spark, as the job's role."""

import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from vectorops.aws import Aws, Credentials
from vectorops.errors import LocalTargetError
from vectorops.local.awsglue_shim.command import (
    ERROR_FILE,
    SPARK_LOG_FILE,
    find_jars,
    find_java,
    spark_command,
)
from vectorops.local.glue_logs import LogStream
from vectorops.local.glue_processes import RUN_FOLDER, kill_processes
from vectorops.local.roles import role_credentials

logger = logging.getLogger(__name__)

# "Logging for AWS Glue jobs", AWS Glue developer guide: what the script prints, and what Spark logs.
LOG_GROUP = "/aws-glue/jobs"
_POLL_INTERVAL_S = 0.25
_ROLE_MARGIN_S = 900
_MESSAGE_LENGTH = 2_000
_MESSAGE_LINES = 3
# Arguments by which Glue installs or sets something that is not done here.
_UNSUPPORTED = (
    "--additional-python-modules",
    "--conf",
    "--datalake-formats",
    "--extra-files",
    "--extra-jars",
    "--extra-py-files",
)
_BOOKMARKS = "--job-bookmark-option"


@dataclass(frozen=True)
class RunRequest:
    """What to run.

    Attributes:
        id: Run id, which the log streams are named after.
        job_arn: The job.
        role_arn: The job's role.
        script: "s3://bucket/key" of the script.
        arguments: By name with leading dashes, JOB_NAME and JOB_RUN_ID among them.
        timeout_s: Seconds that the script may take.
    """

    id: str
    job_arn: str
    role_arn: str
    script: str
    arguments: Mapping[str, str]
    timeout_s: float


@dataclass(frozen=True)
class RunEnd:
    """How a run ended; `error` says why it did not succeed."""

    state: Literal["SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED"]
    error: str = ""


class GlueRun:
    """One run; `execute` is called once, the rest from any thread.

    Args:
        request: What to run.
        runs: Folder in which the run makes a work folder of its own, and removes it at the end.
        operator: The local target with the operator's key, which serves to assume the job's role only.
    """

    def __init__(self, request: RunRequest, runs: Path, operator: Aws) -> None:
        self._request = request
        self._runs = runs
        self._operator = operator
        self._wanted: RunEnd | None = None
        self._end_requested = threading.Event()
        self._began = self._ended = 0.0

    @property
    def execution_s(self) -> int:
        """Whole seconds that the script has taken, 0 before it begins."""
        return int((self._ended or time.monotonic()) - self._began) if self._began else 0

    def end(self, end: RunEnd) -> None:
        """Have the run killed and ended as `end`; the first call counts."""
        self._wanted = self._wanted or end
        self._end_requested.set()

    def execute(self, on_running: Callable[[], None]) -> RunEnd:
        """Run the script to its end; never raises.

        When it returns, no process of the run lives and its log is complete.

        Args:
            on_running: Called when the script begins.
        """
        work_dir = Path(tempfile.mkdtemp(dir=self._runs))
        try:
            return self._execute(work_dir, on_running)
        except LocalTargetError as exc:
            return RunEnd("FAILED", f"{exc}; {exc.hint}" if exc.hint else str(exc))
        except Exception as exc:
            logger.exception("run %s broke off", self._request.id)
            return RunEnd("FAILED", f"the local target could not run it: {type(exc).__name__}: {exc}")
        finally:
            kill_processes(work_dir)
            shutil.rmtree(work_dir, ignore_errors=True)

    def _execute(self, work_dir: Path, on_running: Callable[[], None]) -> RunEnd:
        request = self._request
        _refuse_unsupported(request.arguments)
        java, jars = find_java(), find_jars()
        role = self._assume_role()
        aws = Aws(self._operator.region, endpoint_url=self._operator.endpoint_url, credentials=role)
        argv, env = spark_command(
            _fetch(aws.client("s3"), request.script, work_dir / "script"),
            request.arguments,
            work_dir=work_dir,
            endpoint_url=str(aws.endpoint_url),
            jars=jars,
            java_home=java,
        )
        output, logs = work_dir / "output.log", aws.client("logs")
        streams = [
            LogStream(logs, f"{LOG_GROUP}/output", f"{request.id}-driver", output),
            LogStream(logs, f"{LOG_GROUP}/error", f"{request.id}-driver", work_dir / SPARK_LOG_FILE),
        ]
        with output.open("wb") as file:
            process = subprocess.Popen(
                argv,
                cwd=work_dir,
                env=_environment(aws.region, role) | env | {RUN_FOLDER: str(work_dir)},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._began = time.monotonic()
        on_running()
        self._wait(process, streams)
        self._ended = time.monotonic()
        kill_processes(work_dir)
        code = process.wait()
        for stream in streams:
            stream.ship(to_the_end=True)
        if self._wanted:
            return self._wanted
        return RunEnd("SUCCEEDED") if code == 0 else RunEnd("FAILED", _failure(work_dir / ERROR_FILE, code))

    def _assume_role(self) -> Credentials:
        return role_credentials(
            self._operator,
            self._request.role_arn,
            service="glue.amazonaws.com",
            source_arn=self._request.job_arn,
            duration_s=int(self._request.timeout_s) + _ROLE_MARGIN_S,
        )

    def _wait(self, process: "subprocess.Popen[bytes]", streams: list[LogStream]) -> None:
        """Return when the script has ended by itself, or has to be ended."""
        while process.poll() is None:
            if time.monotonic() - self._began > self._request.timeout_s:
                self.end(RunEnd("TIMEOUT", _too_long(self._request.timeout_s)))
            if self._end_requested.wait(_POLL_INTERVAL_S):
                return
            for stream in streams:
                stream.ship()


def _refuse_unsupported(arguments: Mapping[str, str]) -> None:
    found = [name for name in _UNSUPPORTED if name in arguments]
    if arguments.get(_BOOKMARKS) == "job-bookmark-enable":
        found.append(_BOOKMARKS)
    if found:
        raise LocalTargetError(f"the local target does not support job argument {', '.join(found)}")


def _too_long(timeout_s: float) -> str:
    minutes = round(timeout_s / 60)
    return f"the run took longer than its limit of {minutes} minute{'s' if minutes > 1 else ''}"


def _fetch(s3: Any, url: str, folder: Path) -> Path:
    """Return a copy of the script, in a folder of its own, where its name hides no module."""
    place = urlsplit(url)
    folder.mkdir()
    script = folder / Path(place.path).name
    try:
        script.write_bytes(s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read())
    except ClientError as exc:
        error = exc.response["Error"]
        raise LocalTargetError(
            f"the job's role cannot read the script {url}", why=f"{error['Code']}: {error['Message']}"
        ) from exc
    return script


def _environment(region: str, role: Credentials) -> dict[str, str]:
    """Return what a script finds on Glue, and nothing of the user's: no profile, no proxy, no time zone."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "AWS_ACCESS_KEY_ID": role.access_key_id,
        "AWS_SECRET_ACCESS_KEY": role.secret_access_key,
        "AWS_SESSION_TOKEN": role.session_token or "",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _failure(error_file: Path, code: int) -> str:
    if error_file.is_file() and (message := shorten(error_file.read_text(encoding="utf-8"))):
        return message
    if code < 0:
        return f"the script's process was killed by {signal.Signals(-code).name}"
    return f"the script ended with exit code {code}"


def shorten(error: str) -> str:
    """Return an exception's text in one line, without the Java and Python stacks that Spark puts into it."""
    lines = [line.strip() for line in error.splitlines() if not re.match(r"\s|Traceback |$", line)]
    causes = [line for line in lines[_MESSAGE_LINES:] if line.startswith("Caused by: ")]
    return " ".join(lines[:_MESSAGE_LINES] + causes[-1:])[:_MESSAGE_LENGTH]
