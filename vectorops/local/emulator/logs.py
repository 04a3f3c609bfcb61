"""CloudWatch Logs: what a request about a log stream is about, for IAM; the library takes its group."""

import json
from typing import Any

from ministack.core import iam_actions

from vectorops.local.emulator.mending import Function, replace

# Those with resource "log-stream" in the Service Authorization Reference.
_STREAM_ACTIONS = ("DeleteLogStream", "GetLogEvents", "PutLogEvents")


def install() -> None:
    """Mend the library."""
    replace(iam_actions, "extract_resource_arn", _extract_resource_arn)


def _extract_resource_arn(original: Function) -> Function:
    def extract_resource_arn(service: str, *request: Any) -> str:
        arn = str(original(service, *request))
        _, _, headers, body, *_ = request
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if service != "logs" or action not in _STREAM_ACTIONS or arn == "*":
            return arn
        return f"{arn}:log-stream:{json.loads(body)['logStreamName']}"

    return extract_resource_arn
