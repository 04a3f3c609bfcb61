"""Glue job runs: the deployed script runs on local Spark.

The library reports a Spark job as succeeded without having run it, knows no limits, retries or errors of a
run, and emits no events.
"""

import contextvars
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import glue

from vectorops.aws import Aws, Credentials
from vectorops.local.control import LocalEndpoint
from vectorops.local.emulator import glue_events
from vectorops.local.emulator.mending import Function, need, replace
from vectorops.local.emulator.pages import page
from vectorops.local.glue_runs import LOG_GROUP, GlueRun, RunEnd, RunRequest

logger = logging.getLogger(__name__)

Request = dict[str, Any]
Job = dict[str, Any]
Run = dict[str, Any]

_UNFINISHED = ("STARTING", "RUNNING", "STOPPING")
_COMMAND = "glueetl"
_PAGE = 200  # "GetJobRuns", AWS Glue API reference
_INTERRUPTED = "the local target ended while the run was going on"


@dataclass(frozen=True)
class _Active:
    """A run that is going on."""

    run: Run
    execution: GlueRun
    thread: threading.Thread


class GlueRuns:
    """The mended parts of Glue that start, stop and show runs.

    Args:
        folder: Holds the work folders of the runs that are going on.
        endpoint: Where the AWS APIs of this process are.
        on_change: Called when a run has changed outside a request.
    """

    def __init__(self, folder: Path, endpoint: LocalEndpoint, on_change: Callable[[], None]) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._on_change = on_change
        self._lock = threading.RLock()
        self._active: dict[str, _Active] = {}
        self._closing = False

    def close(self) -> None:
        """End all runs and take no new ones; the APIs must still be served."""
        with self._lock:
            self._closing = True
            active = list(self._active.values())
        for one in active:
            one.execution.end(RunEnd("FAILED", _INTERRUPTED))
        for one in active:
            one.thread.join()

    def start(self, original: Function) -> Function:
        """StartJobRun: begin a run, unless as many as may go on at once do."""

        def start_job_run(data: Request) -> Any:
            with self._lock:
                job = glue._jobs.get(data["JobName"])
                if job is None:
                    return _no_job(data["JobName"])
                if refused := self._refuse(job, data):
                    return refused
                run = _new_run(job, data)
                self._launch(job, run)
            return json_response({"JobRunId": run["Id"]})

        return start_job_run

    def stop(self, original: Function) -> Function:
        """BatchStopJobRun."""

        def batch_stop_job_run(data: Request) -> Any:
            runs = {run["Id"]: run for run in glue._job_runs.get(data["JobName"], [])}
            stopped, errors = [], []
            for run_id in data["JobRunIds"]:
                named = {"JobName": data["JobName"], "JobRunId": run_id}
                if error := self._stop(runs.get(run_id)):
                    errors.append({**named, "ErrorDetail": error})
                else:
                    stopped.append(named)
            return json_response({"SuccessfulSubmissions": stopped, "Errors": errors})

        return batch_stop_job_run

    def show(self, original: Function) -> Function:
        """GetJobRun: with the time so far."""

        def get_job_run(data: Request) -> Any:
            self._update_times()
            return original(data)

        return get_job_run

    def show_all(self, original: Function) -> Function:
        """GetJobRuns: newest first, in pages, and an error where there is no such job."""

        def get_job_runs(data: Request) -> Any:
            if data["JobName"] not in glue._jobs:
                return _no_job(data["JobName"])
            self._update_times()
            return json_response(page("JobRuns", glue._job_runs.get(data["JobName"], [])[::-1], data, _PAGE))

        return get_job_runs

    def delete_job(self, original: Function) -> Function:
        """DeleteJob: stop its runs."""

        def delete_job(data: Request) -> Any:
            for run in glue._job_runs.get(data["JobName"], []):
                self._stop(run)
            return original(data)

        return delete_job

    def restore(self, original: Function) -> Function:
        """Say of runs in the saved state that nobody is running them any more."""

        def load_persisted_state(data: Any) -> None:
            original(data)
            for run in [run for history in glue._job_runs.all_values() for run in history]:
                if run["JobRunState"] in _UNFINISHED:
                    run["ExecutionTime"] = int(run["LastModifiedOn"] - run["StartedOn"])
                    run |= {"ErrorMessage": _INTERRUPTED, "CompletedOn": _now()}
                    _enter(run, "FAILED")

        return load_persisted_state

    def _refuse(self, job: Job, data: Request) -> Any:
        if self._closing:
            return error_response_json("InternalServiceException", "The local target is stopping.", 500)
        if "JobRunId" in data:
            return _invalid("The local target cannot repeat an earlier run; start one without JobRunId.")
        if (command := job["Command"].get("Name")) != _COMMAND:
            return _invalid(f"The local target runs {_COMMAND} jobs, not {command} jobs.")
        allowed = job["ExecutionProperty"]["MaxConcurrentRuns"]
        if sum(run["JobRunState"] in _UNFINISHED for run in glue._job_runs.get(job["Name"], [])) >= allowed:
            message = f"Concurrent runs exceeded for {job['Name']}"
            return error_response_json("ConcurrentRunsExceededException", message, 400)
        return None

    def _launch(self, job: Job, run: Run) -> None:
        aws = Aws(
            get_region(),
            endpoint_url=self._endpoint.url,
            credentials=Credentials(self._endpoint.access_key_id, self._endpoint.secret_access_key),
        )
        execution = GlueRun(_request(job, run), self._folder, aws)
        # The library finds jobs, rules and topics by the account and region of the request.
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run, args=(self._carry_out, job, run, execution), name=run["Id"], daemon=True
        )
        glue._job_runs.setdefault(job["Name"], []).append(run)
        self._active[run["Id"]] = _Active(run, execution, thread)
        thread.start()

    def _carry_out(self, job: Job, run: Run, execution: GlueRun) -> None:
        end = execution.execute(on_running=lambda: self._note_running(run))
        with self._lock:
            del self._active[run["Id"]]
            if end.state == "FAILED" and not self._closing and run["Attempt"] < job["MaxRetries"]:
                self._launch(job, _next_attempt(run))
            # The state last: who sees it finds the rest.
            run |= {"CompletedOn": _now(), "ExecutionTime": execution.execution_s}
            run |= {"ErrorMessage": end.error} if end.error else {}
            _enter(run, end.state)
        self._on_change()
        glue_events.emit(run)

    def _note_running(self, run: Run) -> None:
        with self._lock:
            if run["JobRunState"] == "STARTING":
                _enter(run, "RUNNING")
        self._on_change()

    def _stop(self, run: Run | None) -> dict[str, str] | None:
        if run is None:
            return {"ErrorCode": "EntityNotFoundException", "ErrorMessage": "Run not found"}
        with self._lock:
            active = self._active.get(run["Id"])
            if active is None:
                message = f"Run {run['Id']} is {run['JobRunState']}"
                return {"ErrorCode": "InvalidInputException", "ErrorMessage": message}
            _enter(run, "STOPPING")
            active.execution.end(RunEnd("STOPPED"))
        return None

    def _update_times(self) -> None:
        with self._lock:
            for one in self._active.values():
                one.run["ExecutionTime"] = one.execution.execution_s


def install(folder: Path, endpoint: LocalEndpoint, on_change: Callable[[], None]) -> GlueRuns:
    """Mend the library.

    Args:
        folder: Where runs have their work folders.
        endpoint: Where the AWS APIs of this process are.
        on_change: Called when a run has changed outside a request.
    """
    need(glue, "_arn", "_jobs", "_job_runs")
    mended = GlueRuns(folder, endpoint, on_change)
    replace(glue, "_start_job_run", mended.start)
    replace(glue, "_batch_stop_job_run", mended.stop)
    replace(glue, "_get_job_run", mended.show)
    replace(glue, "_get_job_runs", mended.show_all)
    replace(glue, "_delete_job", mended.delete_job)
    replace(glue, "load_persisted_state", mended.restore)
    return mended


def _new_run(job: Job, data: Request) -> Run:
    chosen = ("WorkerType", "NumberOfWorkers", "Timeout", "ExecutionClass")
    return {
        "Id": f"jr_{secrets.token_hex(32)}",
        "Attempt": 0,
        "JobName": job["Name"],
        "JobRunState": "STARTING",
        "StartedOn": _now(),
        "LastModifiedOn": _now(),
        "Arguments": data.get("Arguments", {}),
        "PredecessorRuns": [],
        "ExecutionTime": 0,
        "GlueVersion": job["GlueVersion"],
        "LogGroupName": LOG_GROUP,
        **{name: value for name in chosen if (value := data.get(name, job.get(name))) is not None},
    }


def _next_attempt(run: Run) -> Run:
    """Return the run by which Glue repeats a failed one, with a number after its id."""
    attempt = run["Attempt"] + 1
    return run | {
        "Id": f"{run['Id'].partition('_attempt_')[0]}_attempt_{attempt}",
        "PreviousRunId": run["Id"],
        "Attempt": attempt,
        "JobRunState": "STARTING",
        "StartedOn": _now(),
        "LastModifiedOn": _now(),
        "ExecutionTime": 0,
    }


def _request(job: Job, run: Run) -> RunRequest:
    role = job["Role"]
    return RunRequest(
        id=run["Id"],
        job_arn=glue._arn("job", job["Name"]),
        role_arn=role if role.startswith("arn:") else f"arn:aws:iam::{get_account_id()}:role/{role}",
        script=job["Command"]["ScriptLocation"],
        arguments={
            **job["DefaultArguments"],
            **run["Arguments"],
            **job["NonOverridableArguments"],
            "--JOB_NAME": job["Name"],
            "--JOB_RUN_ID": run["Id"],
        },
        timeout_s=60 * run["Timeout"],
    )


def _enter(run: Run, state: str) -> None:
    run |= {"JobRunState": state, "LastModifiedOn": _now()}


def _now() -> float:
    return round(time.time(), 3)


def _no_job(name: str) -> Any:
    return error_response_json("EntityNotFoundException", f"Job {name} not found", 400)


def _invalid(message: str) -> Any:
    return error_response_json("InvalidInputException", message, 400)
