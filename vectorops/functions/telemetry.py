"""Logs and metrics of the functions, by AWS Lambda Powertools.

Logs hold ids of requests and records, counts and reasons; never what an event says about a person.
"""

import os

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME") or "vectorops"
NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or "vectorops"
# A log event of CloudWatch holds 256 kB.
_IDS_PER_LINE = 2_000

LOGGER = Logger(service=SERVICE)
METRICS = Metrics(service=SERVICE, namespace=NAMESPACE)


def log_failed_records(reason: str, record_ids: list[str]) -> None:
    """Write which records failed for `reason`, as few lines as CloudWatch allows."""
    for start in range(0, len(record_ids), _IDS_PER_LINE):
        ids = record_ids[start : start + _IDS_PER_LINE]
        LOGGER.warning("records failed", extra={"reason": reason, "count": len(ids), "record_ids": ids})


def count(name: str, value: int) -> None:
    """Add `value` to a metric of this invocation."""
    METRICS.add_metric(name=name, unit=MetricUnit.Count, value=value)
