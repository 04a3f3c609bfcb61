"""The events by which Glue tells EventBridge that a run has ended."""

import json
import logging
from typing import Any

from ministack.services import eventbridge

from vectorops.local.emulator.mending import need

logger = logging.getLogger(__name__)

need(eventbridge, "_put_events")

_SEVERITIES = {"FAILED": "ERROR", "TIMEOUT": "WARN"}


def emit(run: dict[str, Any]) -> None:
    """Send "Glue Job State Change" for a run that has ended, to the rules of its account and region."""
    state = run["JobRunState"]
    detail = {
        "jobName": run["JobName"],
        "severity": _SEVERITIES.get(state, "INFO"),
        "state": state,
        "jobRunId": run["Id"],
        "message": run.get("ErrorMessage") or f"Job run {state.lower()}",
    }
    entry = {"Source": "aws.glue", "DetailType": "Glue Job State Change", "Detail": json.dumps(detail)}
    try:
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
    except Exception:
        logger.exception("could not tell EventBridge of run %s", run["Id"])
