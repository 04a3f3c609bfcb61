"""Glue definitions: ListJobs, tags given at creation, and fields that the library drops."""

import json
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import glue

from vectorops.local.emulator.mending import Function, need, replace
from vectorops.local.emulator.pages import page

Request = dict[str, Any]

# What AWS fills in when the request says nothing ("CreateJob", "CreateCrawler", AWS Glue API reference).
_JOB_DEFAULTS = {"ExecutionProperty": {"MaxConcurrentRuns": 1}}
_JOB_OPTIONS = (
    "ExecutionClass",
    "JobMode",
    "JobRunQueuingEnabled",
    "LogUri",
    "MaintenanceWindow",
    "NotificationProperty",
)
_JOBS_PER_PAGE = 100
_CRAWLER_DEFAULTS = {
    "LineageConfiguration": {"CrawlerLineageSettings": "DISABLE"},
    "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVERYTHING"},
}


def install() -> None:
    """Mend the library."""
    need(glue, "_arn", "_connections", "_crawlers", "_jobs", "_tags")
    replace(glue, "_create_connection", _create_connection)
    replace(glue, "_create_crawler", _create_crawler)
    replace(glue, "_create_job", _create_job)
    replace(glue, "_update_job", _update_job)
    replace(glue, "_start_crawler", _start_crawler)
    replace(glue, "_handle_request_sync", _handle_request)


def _handle_request(original: Function) -> Function:
    """Add ListJobs."""

    def handle_request(method: str, path: str, headers: dict[str, str], body: bytes, *rest: Any) -> Any:
        if headers.get("x-amz-target") != "AWSGlue.ListJobs":
            return original(method, path, headers, body, *rest)
        return json_response(page("JobNames", sorted(glue._jobs), json.loads(body or "{}"), _JOBS_PER_PAGE))

    return handle_request


def _create_connection(original: Function) -> Function:
    def create_connection(data: Request) -> Any:
        response = original(data)
        _tag("connection", data["ConnectionInput"]["Name"], data)
        return response

    return create_connection


def _create_crawler(original: Function) -> Function:
    def create_crawler(data: Request) -> Any:
        response = original({**_CRAWLER_DEFAULTS, **data})
        if response[0] == 200:
            _tag("crawler", data["Name"], data)
        return response

    return create_crawler


def _create_job(original: Function) -> Function:
    def create_job(data: Request) -> Any:
        response = original(data)
        if response[0] == 200:
            _keep_job_fields(data["Name"], data)
            _tag("job", data["Name"], data)
        return response

    return create_job


def _update_job(original: Function) -> Function:
    def update_job(data: Request) -> Any:
        response = original(data)
        if response[0] == 200:
            _keep_job_fields(data["JobName"], data["JobUpdate"])
        return response

    return update_job


def _start_crawler(original: Function) -> Function:
    """Refuse: the library reports a crawl that has not happened."""

    def start_crawler(data: Request) -> Any:
        message = "The local target runs no crawlers; the job keeps its table's partitions itself."
        return error_response_json("InvalidInputException", message, 400)

    return start_crawler


def _keep_job_fields(name: str, definition: Request) -> None:
    job = glue._jobs[name]
    for field in _JOB_OPTIONS:
        job.pop(field, None)
    job.update(_JOB_DEFAULTS)
    job.update({field: definition[field] for field in (*_JOB_DEFAULTS, *_JOB_OPTIONS) if field in definition})


def _tag(kind: str, name: str, data: Request) -> None:
    if tags := data.get("Tags"):
        glue._tags[glue._arn(kind, name)] = dict(tags)
