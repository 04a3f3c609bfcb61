"""Lambda: functions run in an interpreter of their own, their URLs lead to them, and their metrics count.

The library runs functions in its own interpreter, whose packages hide what is missing in theirs, names URLs
that belong to AWS, counts no calls of URLs, and takes metrics in a function's log for text.
"""

import contextlib
import itertools
import json
import shutil
import time
import venv
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import json_response
from ministack.services import cloudwatch, lambda_svc

from vectorops.local.control import LocalEndpoint
from vectorops.local.emulator.mending import Function, need, replace

Mend = Callable[[Function], Function]
# Namespace, name, value, unit and dimensions.
Metric = tuple[str, str, float, str, dict[str, str]]

_PATH = "/_aws/lambda-url/"


def install(folder: Path, endpoint: LocalEndpoint) -> None:
    """Mend the library.

    Args:
        folder: For the interpreter of the functions; it is emptied.
        endpoint: Where the AWS APIs of this process are.
    """
    need(lambda_svc, "_function_urls", "_url_config_key", "resolve_function_url")
    need(cloudwatch, "record_metric")
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=False, symlinks=True)
    replace(lambda_runtime, "_detect_runtime_binary", _interpreter_in(folder))
    replace(lambda_svc, "_create_function_url_config", _create_url_at(endpoint))
    replace(lambda_svc, "load_persisted_state", _restore_urls_at(endpoint))
    replace(lambda_svc, "_function_url_id", _function_url_id)
    replace(lambda_svc, "handle_function_url_request", _handle_url_request)
    replace(lambda_svc, "_emit_lambda_metrics", _emit_lambda_metrics)
    replace(lambda_svc, "_emit_lambda_logs", _emit_lambda_logs)


def _interpreter_in(environment: Path) -> Mend:
    def mend(original: Function) -> Function:
        def detect_runtime_binary(runtime: str) -> tuple[str, str]:
            binary, worker = original(runtime)
            is_python = runtime.startswith("python")
            return str(environment / "bin" / "python") if is_python else binary, worker

        return detect_runtime_binary

    return mend


def _create_url_at(endpoint: LocalEndpoint) -> Mend:
    """Name the URL by which a function is reached here, and that every HTTP client can resolve."""

    def mend(original: Function) -> Function:
        def create_function_url_config(name: str, data: dict[str, Any], qualifier: str | None) -> Any:
            response = original(name, data, qualifier)
            if response[0] != HTTPStatus.CREATED:
                return response
            made = lambda_svc._function_urls[lambda_svc._url_config_key(name, qualifier)]
            identifier = made["FunctionUrl"].partition("://")[2].partition(".")[0]
            made["FunctionUrl"] = f"{endpoint.url}{_PATH}{identifier}/"
            return json_response(made, status=HTTPStatus.CREATED)

        return create_function_url_config

    return mend


def _restore_urls_at(endpoint: LocalEndpoint) -> Mend:
    """Follow the port, which is another one when somebody else has taken it meanwhile."""

    def mend(original: Function) -> Function:
        def load_persisted_state(data: Any) -> None:
            original(data)
            for _, made in lambda_svc._function_urls.all_items():
                made["FunctionUrl"] = f"{endpoint.url}{_PATH}{url_id(made['FunctionUrl'])}/"

        return load_persisted_state

    return mend


def _function_url_id(original: Function) -> Function:
    return url_id


def _handle_url_request(original: Function) -> Function:
    async def handle_function_url_request(identifier: str, *rest: Any, **options: Any) -> Any:
        began = time.monotonic()
        status, headers, body = await original(identifier, *rest, **options)
        if found := lambda_svc.resolve_function_url(identifier):
            # Only what the function was called for has a trace.
            _count_url_call(
                found[2], status, time.monotonic() - began, is_invoked="X-Amzn-Trace-Id" in headers
            )
        return status, headers, body

    return handle_function_url_request


def _count_url_call(name: str, status: int, duration_s: float, *, is_invoked: bool) -> None:
    """Count a call of a URL: "Types of metrics for Lambda functions", AWS Lambda Developer Guide."""
    duration_ms, dimensions = duration_s * 1000, {"FunctionName": name}
    for metric, value, unit in (
        ("UrlRequestCount", 1, "Count"),
        ("Url4xxCount", int(400 <= status < 500), "Count"),
        ("Url5xxCount", int(status >= 500), "Count"),
        ("UrlRequestLatency", duration_ms, "Milliseconds"),
    ):
        cloudwatch.record_metric("AWS/Lambda", metric, value, unit, dimensions)
    # A throttled call is counted where it is refused. 502 is the answer where a function raised.
    if is_invoked and status != HTTPStatus.TOO_MANY_REQUESTS:
        lambda_svc._emit_lambda_metrics(
            name, duration_ms, error=status == HTTPStatus.BAD_GATEWAY, throttle=False
        )


def _emit_lambda_metrics(original: Function) -> Function:
    """Count a throttled call once, and neither as an invocation nor as an error."""

    def emit(name: str, duration_ms: float, error: bool, throttle: bool) -> None:
        if not throttle:
            original(name, duration_ms, error, throttle)
        elif not duration_ms:  # the library tells of it a second time, with a duration
            cloudwatch.record_metric("AWS/Lambda", "Throttles", 1, "Count", {"FunctionName": name})

    return emit


def _emit_lambda_logs(original: Function) -> Function:
    def emit(function: Any, request_id: str, text: str, *rest: Any, **options: Any) -> None:
        original(function, request_id, text, *rest, **options)
        # Whatever a function writes, its answer counts.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            for metric in embedded_metrics(text):
                cloudwatch.record_metric(*metric)

    return emit


def embedded_metrics(text: str) -> Iterator[Metric]:
    """Yield the metrics in a log: "Specification: Embedded metric format", CloudWatch user guide."""
    for line in text.splitlines():
        if not line.startswith('{"_aws":'):
            continue
        fields = json.loads(line)
        for directive in fields["_aws"]["CloudWatchMetrics"]:
            for names, metric in itertools.product(directive["Dimensions"], directive["Metrics"]):
                dimensions = {name: str(fields[name]) for name in names}
                values = fields[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    yield directive["Namespace"], metric["Name"], value, metric["Unit"], dimensions


def url_id(url: str) -> str:
    """Return the identifier in the URL of a function."""
    return url.rstrip("/").rpartition("/")[2]
