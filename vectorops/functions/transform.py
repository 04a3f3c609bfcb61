"""Firehose transform: adds recommendations to events of user activity."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from vectorops.functions.configuration import Configuration
from vectorops.functions.deadline import Deadline
from vectorops.functions.firehose import (
    BadRecordError,
    Event,
    Reason,
    Response,
    add_fields,
    read_event,
    respond,
)
from vectorops.functions.runtime import aws_of, open_store
from vectorops.functions.store import ModelChangedError, Recommender
from vectorops.functions.telemetry import LOGGER, METRICS, count, log_failed_records
from vectorops.recommender.recommend import Recommendation, as_json, recommend

_ADDED = Recommendation.__required_keys__


class Transform:
    """The function, with what it keeps while it is warm.

    Args:
        configuration: How many items are recommended, and which.
        current: Returns the model and the catalogue, current at this moment.
    """

    def __init__(self, configuration: Configuration, current: Callable[[Deadline], Recommender]) -> None:
        self._configuration = configuration
        self._current = current

    def __call__(self, event: Mapping[str, Any], context: Any) -> Response:
        """Return every record of `event` once, in order: with recommendations, or failed.

        A record that cannot be read fails alone. One model call and at most two round trips to the database
        serve all of them.

        Raises:
            DatabaseError: The database is away; Firehose tries the whole batch again.
            InputDataError, AwsError: There is no usable model or item table.
        """
        records = event["records"]
        parsed = [_parse(record.get("data")) for record in records]
        events = [one for one in parsed if isinstance(one, Event)]
        added = iter(self._recommend(events, context) if events else [])
        outcomes = (add_fields(one, next(added)) if isinstance(one, Event) else one for one in parsed)
        response, failed = respond([record["recordId"] for record in records], outcomes)
        _report(len(records), failed)
        return response

    def _recommend(self, events: list[Event], context: Any) -> list[str]:
        deadline = Deadline.of(context)
        try:
            return self._recommend_now(events, deadline)
        except ModelChangedError:
            return self._recommend_now(events, deadline)

    def _recommend_now(self, events: list[Event], deadline: Deadline) -> list[str]:
        recommender = self._current(deadline)
        recommendations = recommend(
            [event.fields for event in events],
            recommender.model,
            recommender.catalogue,
            limit=self._configuration.item_limit,
            exclude_cart=self._configuration.exclude_cart_items,
        )
        return as_json(recommendations)


def _parse(data: object) -> Event | Reason:
    try:
        return read_event(data, reserved=_ADDED)
    except BadRecordError as exc:
        return exc.reason


def _report(records: int, failed: Mapping[Reason, list[str]]) -> None:
    for reason, record_ids in failed.items():
        log_failed_records(reason, record_ids)
    count("Records", records)
    count("FailedRecords", sum(map(len, failed.values())))


@cache
def _transform() -> Transform:
    configuration = Configuration.from_environ()
    store = open_store(configuration, aws_of(configuration), is_patient=True)
    return Transform(configuration, store.recommender)


@LOGGER.inject_lambda_context
@METRICS.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: Any) -> Response:
    """Answer an invocation by Firehose."""
    return _transform()(event, context)


# Lambda's initialisation has more processor time than an invocation, and says what is wrong before the first.
if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    _transform()
