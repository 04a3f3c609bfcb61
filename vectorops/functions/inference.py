"""Inference API: vectors of users, and the items nearest to a user's vector or to an item."""

import json
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vectorops.errors import VectorOpsError
from vectorops.functions.configuration import MAX_LIMIT, Configuration
from vectorops.functions.deadline import Deadline
from vectorops.functions.http_api import (
    MAX_ANSWER_BYTES,
    Answer,
    HttpError,
    Request,
    answer,
    error_answer,
    read_request,
    request_id,
)
from vectorops.functions.runtime import aws_of, open_store
from vectorops.functions.store import Recommender
from vectorops.functions.telemetry import LOGGER, METRICS, count
from vectorops.recommender.catalogue import Neighbour, Search

MAX_RECORDS = 500
RETRY_AFTER_S = 5
_OPENAPI = Path(__file__).with_name("openapi.json")

Result = list[Neighbour] | list[list[float]] | str


class Inference:
    """The function, with what it keeps while it is warm.

    Args:
        configuration: The default length of lists.
        current: Returns the model and the catalogue, current at this moment.
    """

    def __init__(self, configuration: Configuration, current: Callable[[Deadline], Recommender]) -> None:
        self._configuration = configuration
        self._current = current
        self._routes: dict[str, dict[str, Callable[[Request, Deadline], Result]]] = {
            "/user_embeddings": {"POST": self._user_embeddings},
            "/items_from_user": {"POST": self._items_from_user},
            "/items_from_item": {"GET": self._items_from_item},
            "/openapi.json": {"GET": lambda request, deadline: _OPENAPI.read_text(encoding="utf-8")},
        }

    def __call__(self, event: Mapping[str, Any], context: Any) -> Answer:
        """Answer one request; whatever is wrong is answered too, and never raised."""
        name = request_id(event, context)
        try:
            done = answer(200, self._body(read_request(event, context), Deadline.of(context)), name)
        except HttpError as exc:
            done = error_answer(exc, name)
        except VectorOpsError:
            LOGGER.exception("not available", extra={"request_id": name})
            away = HttpError(503, "not available at the moment", retry_after=str(RETRY_AFTER_S))
            done = error_answer(away, name)
        except Exception:  # a caller needs the request's id to report it
            LOGGER.exception("failed", extra={"request_id": name})
            done = error_answer(HttpError(500, "internal error"), name)
        LOGGER.info("answered", extra={"request_id": name, "status": done["statusCode"]})
        count("ServerErrors", int(done["statusCode"] >= 500))
        return done

    def _body(self, request: Request, deadline: Deadline) -> str:
        methods = self._routes.get(request.path)
        if methods is None:
            raise HttpError(404, f"there is no {request.path}; GET /openapi.json says what there is")
        if request.method not in methods:
            allowed = ", ".join(methods)
            raise HttpError(405, f"{request.path} takes {allowed}, not {request.method}", allow=allowed)
        result = methods[request.method](request, deadline)
        body = result if isinstance(result, str) else json.dumps(result, separators=(",", ":"))
        if len(body) > MAX_ANSWER_BYTES:
            raise HttpError(413, f"the answer would have {len(body)} bytes; ask for less at a time")
        return body

    def _user_embeddings(self, request: Request, deadline: Deadline) -> list[list[float]]:
        records = _checked_records(request.json())
        vectors = self._current(deadline).model.embed(records)
        # By way of the shortest text that reads back as the same float32.
        return vectors.astype(str).astype(np.float64).tolist()  # type: ignore[no-any-return]

    def _items_from_user(self, request: Request, deadline: Deadline) -> list[Neighbour]:
        limit, values = self._limit(request), request.json()
        recommender = self._current(deadline)
        vector = _checked_vector(values, recommender.model.dimension)
        return recommender.catalogue.search(Search(vector, [frozenset()], [], limit)).by_vector[0]

    def _items_from_item(self, request: Request, deadline: Deadline) -> list[Neighbour]:
        limit, item_id = self._limit(request), request.query.get("item_id")
        if not item_id:
            raise HttpError(400, "item_id is missing")
        recommender = self._current(deadline)
        no_vectors = np.empty((0, recommender.model.dimension), dtype=np.float32)
        found = recommender.catalogue.search(Search(no_vectors, [], [item_id], limit)).by_item
        if item_id not in found:
            raise HttpError(404, "no item has this item_id")
        return found[item_id]

    def _limit(self, request: Request) -> int:
        return request.number("limit", default=self._configuration.item_limit, most=MAX_LIMIT)


def _checked_records(body: object) -> list[dict[str, Any]]:
    if not isinstance(body, list) or not 1 <= len(body) <= MAX_RECORDS:
        raise HttpError(400, f"the body must be a list of 1 to {MAX_RECORDS} users")
    for number, record in enumerate(body):
        if not isinstance(record, dict):
            raise HttpError(400, f"user {number} is not an object")
        for name, types in (("city", str), ("country", str), ("creditlimit", int | float | str)):
            value = record.get(name)
            if isinstance(value, bool) or not isinstance(value, types | None):
                expected = "a number" if name == "creditlimit" else "a string"
                raise HttpError(400, f"{name} of user {number} must be {expected} or null")
    return body


def _checked_vector(body: object, dimension: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    if not isinstance(body, list) or len(body) != dimension:
        raise HttpError(400, f"the body must be a vector: a list of {dimension} numbers")
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in body):
        raise HttpError(400, "the vector must hold numbers only")
    try:
        with np.errstate(over="ignore"):
            vector = np.array([body], dtype=np.float64).astype(np.float32)
    except OverflowError:
        vector = np.array([[np.inf]], dtype=np.float32)
    if not np.isfinite(vector).all():
        raise HttpError(400, "the vector holds a number beyond single precision")
    if not vector.any():
        raise HttpError(400, "the vector is zero, which is near to nothing")
    return vector


@cache
def _inference() -> Inference:
    configuration = Configuration.from_environ()
    store = open_store(configuration, aws_of(configuration), is_patient=False)
    return Inference(configuration, store.recommender)


@LOGGER.inject_lambda_context
@METRICS.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: Any) -> Answer:
    """Answer a request that came through a function URL or an HTTP API."""
    return _inference()(event, context)


# Lambda's initialisation has more processor time than an invocation, and says what is wrong before the first.
if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    _inference()
