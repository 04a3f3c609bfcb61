"""`load-embeddings --engine glue`: starts the job, follows it, and returns its report."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vectorops.cli.glue import follow
from vectorops.cli.machine import known_machine
from vectorops.cli.state import AppState
from vectorops.errors import JobFailedError, UsageError

if TYPE_CHECKING:
    from vectorops.embeddings.load import LoadReport


def load_on_glue(
    state: AppState,
    sources: list[str],
    *,
    table: str,
    way: dict[str, Any],
    rejects_path: Path | None,
    **options: Any,
) -> "LoadReport":
    """Load `sources` into `table` by the stack's Glue job; rejected rows come into the same file as ever.

    Raises:
        UsageError: A source is not in S3, or the file for the rejects is there already.
        JobFailedError: The run ended without a report.
        VectorOpsError: What the job reports. Nothing has changed.
    """
    from vectorops.embeddings.assignment import error_from
    from vectorops.jobs import start_run

    _check(sources, way, rejects_path)
    machine = known_machine(state)
    load = {
        "sources": sources,
        "table": table,
        "way": {**way, "machine": asdict(machine) if machine else None},
        "options": options,
    }
    job = state.stack.load_job_name
    run_id = start_run(state.aws.client("glue"), job, {"--load": json.dumps(load)})
    state.note(f"started run {run_id} of {job}")
    run, _ = follow(state, job, run_id)
    outcome = _outcome(state, run_id)
    if "error" in outcome:
        raise error_from(outcome["error"])
    if not run.has_succeeded:
        raise JobFailedError(
            f"run {run_id} of {job} ended as {run.state}",
            why=run.error,
            hint=f"see its log: vectorops glue-status {run_id} --job {job}",
        )
    return _report(state, run_id, outcome["report"], rejects_path)


def _check(sources: list[str], way: dict[str, Any], rejects_path: Path | None) -> None:
    from vectorops.embeddings.rejects import check_target

    if way.get("resume"):
        raise UsageError(
            "--resume is for --engine local", hint="on Glue a task that fails is repeated by itself"
        )
    for source in sources:
        if not source.startswith("s3://"):
            raise UsageError(
                f"the Glue job cannot read {'standard input' if source == '-' else source}",
                hint="copy it to S3 and give its s3:// URL, or load it from here with --engine local",
            )
    if rejects_path:
        check_target(rejects_path)


def _outcome(state: AppState, run_id: str) -> dict[str, Any]:
    from vectorops.embeddings.assignment import REPORT

    s3 = state.aws.client("s3")
    bucket, prefix = _results(state, run_id)
    try:
        body = s3.get_object(Bucket=bucket, Key=f"{prefix}{REPORT}")["Body"].read()
    except s3.exceptions.NoSuchKey:
        return {}
    found: dict[str, Any] = json.loads(body)
    return found


def _report(state: AppState, run_id: str, values: dict[str, Any], rejects_path: Path | None) -> "LoadReport":
    from vectorops.embeddings.assignment import REJECTS
    from vectorops.embeddings.load import LoadReport
    from vectorops.embeddings.rejects import default_path

    path = None
    if values["rejected"] and not values["dry_run"]:
        path = rejects_path or default_path(values["table"])
        bucket, prefix = _results(state, run_id)
        state.aws.client("s3").download_file(bucket, f"{prefix}{REJECTS}", str(path))
        state.note(f"the rejected rows are in s3://{bucket}/{prefix}{REJECTS} too")
    lists = {name: tuple(values[name]) for name in ("ignored_columns", "empty_files")}
    return LoadReport(**values | lists | {"rejects_path": path})


def _results(state: AppState, run_id: str) -> tuple[str, str]:
    """Return the bucket, and the prefix of what the run has left."""
    place = urlsplit(state.stack.load_results_url)
    return place.netloc, f"{place.path.lstrip('/')}{run_id}/"
