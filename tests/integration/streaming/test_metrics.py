from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vectorops.aws import Aws
from vectorops.streaming.metrics import Metric, Reading, read_metrics

NOW = datetime.now(UTC).replace(second=30, microsecond=0)


@pytest.fixture
def cloudwatch(aws: Aws) -> Any:
    return aws.client("cloudwatch")


def put(cloudwatch: Any, name: str, minutes_ago: int, *values: float, of: str = "mine") -> None:
    data = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": "StreamName", "Value": of}],
            "Timestamp": NOW - timedelta(minutes=minutes_ago),
            "Value": value,
        }
        for value in values
    ]
    cloudwatch.put_metric_data(Namespace="Test", MetricData=data)


def read(cloudwatch: Any, name: str, statistic: Any, **options: Any) -> Reading:
    metric = Metric("key", "s", "Test", name, ("StreamName", "mine"), statistic, **options)
    (reading,) = read_metrics(cloudwatch, [metric], since=NOW - timedelta(hours=1), until=NOW)
    return reading


def test_sums_and_greatest_values_are_told_of_the_whole_time_and_of_the_latest_minute(
    cloudwatch: Any,
) -> None:
    put(cloudwatch, "Records", 5, 10, 30)
    put(cloudwatch, "Records", 1, 1, 2)
    put(cloudwatch, "Records", 61, 1_000)
    put(cloudwatch, "Records", 1, 5_000, of="another")
    minute = NOW.replace(second=0) - timedelta(minutes=1)
    assert read(cloudwatch, "Records", "Sum") == Reading("key", "s", 43, 3, minute)
    assert read(cloudwatch, "Records", "Maximum") == Reading("key", "s", 30, 2, minute)


def test_a_mean_is_of_all_samples_and_not_of_the_minutes(cloudwatch: Any) -> None:
    put(cloudwatch, "Duration", 5, 100, 100, 100)
    put(cloudwatch, "Duration", 1, 500)
    reading = read(cloudwatch, "Duration", "Mean", scale=1e-3)
    assert [reading.whole, reading.latest] == pytest.approx([0.2, 0.5])


def test_a_metric_without_data_is_none_and_not_zero(cloudwatch: Any) -> None:
    assert read(cloudwatch, "Never", "Sum") == Reading("key", "s", None, None, None)
    assert read(cloudwatch, "Never", "Mean") == Reading("key", "s", None, None, None)


@pytest.mark.parametrize(("days", "period_s"), [(14, 60), (15, 300), (62, 300), (63, 3_600), (400, 3_600)])
def test_cloudwatch_is_asked_by_periods_for_which_it_still_has_data(
    cloudwatch: Any, days: int, period_s: int
) -> None:
    asked: list[dict[str, Any]] = []
    event, name = "provide-client-params.cloudwatch.GetMetricData", f"Old{days}"
    cloudwatch.meta.events.register(event, lambda params, **_: asked.append(params), name)
    put(cloudwatch, name, 3 * 1_440, 7)
    metric = Metric("key", "s", "Test", name, ("StreamName", "mine"), "Sum")
    (reading,) = read_metrics(cloudwatch, [metric], since=NOW - timedelta(days=days), until=NOW)
    cloudwatch.meta.events.unregister(event, unique_id=name)
    (query,) = asked[0]["MetricDataQueries"]
    assert query["MetricStat"]["Period"] == period_s
    assert [asked[0][end].timestamp() % period_s for end in ("StartTime", "EndTime")] == [0, 0]
    assert reading.whole == 7
