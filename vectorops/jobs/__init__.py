"""Glue runs: starting, following, and reading their history."""

from vectorops.jobs.follow import follow_run
from vectorops.jobs.runs import JobRun, get_run, list_jobs, list_runs, start_run, stop_run

__all__ = ["JobRun", "follow_run", "get_run", "list_jobs", "list_runs", "start_run", "stop_run"]
