"""Lines as Firehose writes them."""

import base64
import json
from typing import Any


def error_line(data: bytes, **changes: Any) -> bytes:
    """A record that could not be transformed."""
    fields = {
        "attemptsMade": 4,
        "arrivalTimestamp": 1_795_000_000_000,
        "errorCode": "Lambda.FunctionError",
        "errorMessage": "The Lambda function was successfully invoked but it returned an error result.",
        "attemptEndingTimestamp": 1_795_000_060_500,
        "rawData": base64.b64encode(data).decode(),
        "lambdaArn": "arn:aws:lambda:us-east-1:000000000000:function:transform:$LATEST",
    }
    return json.dumps({**fields, **changes}).encode()
