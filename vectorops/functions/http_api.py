"""HTTP requests and answers as a Lambda function gets and gives them: payload format 2.0.

Function URLs and HTTP APIs both use it (AWS Lambda Developer Guide, "Invoking Lambda function URLs").
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict
from urllib.parse import parse_qsl

MAX_BODY_BYTES = 1_000_000
# A function's answer may have 6 MB.
MAX_ANSWER_BYTES = 5_000_000


class Answer(TypedDict):
    """What the function returns."""

    statusCode: int
    headers: dict[str, str]
    body: str
    isBase64Encoded: bool


class HttpError(Exception):
    """A request that is answered with an error.

    Args:
        status: HTTP status code.
        message: For the caller: what is wrong, and what would be right.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        id: For logs and answers.
        method: In capitals.
        path: Without the stage of an HTTP API.
        query: Parameters, decoded; of one given twice, the last.
        body: Decoded, at most `MAX_BODY_BYTES`.
    """

    id: str
    method: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the body, parsed.

        Raises:
            HttpError: It is no JSON; NaN and infinities are none.
        """
        try:
            return json.loads(self.body, parse_constant=_refuse)
        except (ValueError, RecursionError) as exc:
            raise HttpError(400, "the body is not JSON") from exc

    def number(self, name: str, *, default: int, most: int) -> int:
        """Return query parameter `name` as a whole number from 1 to `most`.

        Raises:
            HttpError: It is none.
        """
        text = self.query.get(name, str(default))
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most):
            raise HttpError(400, f"{name} must be a whole number from 1 to {most}")
        return int(text)


def request_id(event: Mapping[str, Any], context: Any) -> str:
    """Return what the request is called, in the front end's words where it gave it a name."""
    given = event.get("requestContext", {}).get("requestId")
    return str(given or getattr(context, "aws_request_id", ""))


def read_request(event: Mapping[str, Any], context: Any) -> Request:
    """Return the request in `event`.

    Raises:
        HttpError: Its body is too large or cannot be decoded.
    """
    http, stage = event["requestContext"]["http"], event["requestContext"].get("stage", "$default")
    path = event.get("rawPath") or "/"
    return Request(
        id=request_id(event, context),
        method=http["method"].upper(),
        path=path if stage == "$default" else path.removeprefix(f"/{stage}"),
        query=dict(parse_qsl(event.get("rawQueryString") or "", keep_blank_values=True)),
        body=_body(event),
    )


def answer(status: int, body: str, request: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer that holds `body`, which is JSON, to the request called `request`."""
    fixed = {"content-type": "application/json", "cache-control": "no-store", "x-request-id": request}
    return {
        "statusCode": status,
        "headers": {**fixed, **(headers or {})},
        "body": body,
        "isBase64Encoded": False,
    }


def error_answer(error: HttpError, request: str) -> Answer:
    """Return the answer that says what is wrong."""
    body = json.dumps({"error": error.message, "request_id": request})
    return answer(error.status, body, request, error.headers)


def _body(event: Mapping[str, Any]) -> bytes:
    text: str = event.get("body") or ""
    try:
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except (ValueError, binascii.Error) as exc:
        raise HttpError(400, "the body cannot be decoded") from exc
    if len(body) > MAX_BODY_BYTES:
        raise HttpError(413, f"the body has {len(body)} bytes; {MAX_BODY_BYTES} are allowed")
    return body


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
