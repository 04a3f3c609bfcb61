"""What CloudWatch has measured of the stream, the delivery and the functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

# How long data points of so many seconds are kept; a query that begins earlier finds none ("MetricStat",
# CloudWatch API reference). An hour less, since time goes on.
_PERIODS_S = ((timedelta(days=15, hours=-1), 60), (timedelta(days=63, hours=-1), 300))
_LONGEST_PERIOD_S = 3_600
# A page has up to a hundred thousand data points, of any number of queries.
_QUERIES_PER_CALL = 100


@dataclass(frozen=True)
class Metric:
    """A metric of CloudWatch.

    Attributes:
        key: What we call it.
        unit: Of the reading, such as "records" or "s".
        statistic: How values add up: to a sum, to the greatest, or to the mean of all samples.
        scale: What a value is multiplied by to get the unit.
    """

    key: str
    unit: str
    namespace: str
    name: str
    dimension: tuple[str, str]
    statistic: Literal["Sum", "Maximum", "Mean"]
    scale: float = 1.0


@dataclass(frozen=True)
class Reading:
    """A metric over a while, in its unit; each number is None when CloudWatch has no data.

    Attributes:
        whole: Over the whole time: sum, greatest or mean.
        latest: Of the latest minute that has data; of the latest five for a time of more than 15 days, of the
            latest hour for more than 63.
        latest_at: Begin of that while.
    """

    key: str
    unit: str
    whole: float | None
    latest: float | None
    latest_at: datetime | None


def read_metrics(
    cloudwatch: "CloudWatchClient", metrics: Sequence[Metric], *, since: datetime, until: datetime
) -> list[Reading]:
    """Return a reading of each metric, in their order."""
    period_s = next((each_s for age, each_s in _PERIODS_S if until - since < age), _LONGEST_PERIOD_S)
    queries = [query for number, metric in enumerate(metrics) for query in _queries(number, metric, period_s)]
    data: dict[str, dict[datetime, float]] = {}
    for start in range(0, len(queries), _QUERIES_PER_CALL):
        pages = cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries[start : start + _QUERIES_PER_CALL],
            StartTime=_begin(since, period_s),
            EndTime=_begin(until, period_s) + timedelta(seconds=period_s),
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                points = zip(result["Timestamps"], result["Values"], strict=True)
                data.setdefault(result["Id"], {}).update(points)
    return [_reading(number, metric, data) for number, metric in enumerate(metrics)]


def _queries(number: int, metric: Metric, period_s: int) -> list[Any]:
    statistics = ("Sum", "SampleCount") if metric.statistic == "Mean" else (metric.statistic,)
    name, value = metric.dimension
    return [
        {
            "Id": f"m{number}_{statistic.lower()}",
            "MetricStat": {
                "Metric": {
                    "Namespace": metric.namespace,
                    "MetricName": metric.name,
                    "Dimensions": [{"Name": name, "Value": value}],
                },
                "Period": period_s,
                "Stat": statistic,
            },
        }
        for statistic in statistics
    ]


def _reading(number: int, metric: Metric, data: dict[str, dict[datetime, float]]) -> Reading:
    statistic = "Sum" if metric.statistic == "Mean" else metric.statistic
    values = data.get(f"m{number}_{statistic.lower()}", {})
    if not values:
        return Reading(metric.key, metric.unit, None, None, None)
    at = max(values)
    whole, latest = max(values.values()) if statistic == "Maximum" else sum(values.values()), values[at]
    if metric.statistic == "Mean":
        samples = data[f"m{number}_samplecount"]
        whole, latest = whole / sum(samples.values()), latest / samples[at]
    return Reading(metric.key, metric.unit, whole * metric.scale, latest * metric.scale, at)


def _begin(moment: datetime, period_s: int) -> datetime:
    """Return the begin of the period that a moment is in."""
    return datetime.fromtimestamp(moment.timestamp() // period_s * period_s, UTC)
