import json

import pytest

pytest.importorskip("ministack", reason="the local target is not installed: make setup")

from vectorops.local.emulator.functions import embedded_metrics


def line(**fields: object) -> str:
    metrics = [{"Name": "Records", "Unit": "Count"}]
    directive = {"Namespace": "shop", "Dimensions": [["service"]], "Metrics": metrics}
    return json.dumps({"_aws": {"Timestamp": 0, "CloudWatchMetrics": [directive]}, **fields})


def test_metrics_in_a_log_count_with_all_their_values() -> None:
    log = f"START\n{line(service='transform', Records=[2.0, 3.0])}\nsome text\n{line(service='x', Records=1)}"
    assert list(embedded_metrics(log)) == [
        ("shop", "Records", 2.0, "Count", {"service": "transform"}),
        ("shop", "Records", 3.0, "Count", {"service": "transform"}),
        ("shop", "Records", 1, "Count", {"service": "x"}),
    ]


def test_a_log_without_metrics_has_none() -> None:
    assert list(embedded_metrics('START\n{"level": "INFO", "message": "hello"}')) == []
