"""Names and contents of the objects that a delivery stream writes."""

import gzip
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vectorops.local.delivery.configuration import DeliverySettings

# Called with a prefix and a time, and by name with the kind of error; returns the prefix filled in.
EvaluatePrefix = Callable[..., str]

FAILED = "processing-failed"


@dataclass(frozen=True)
class Content:
    """What becomes one object.

    Attributes:
        kind: "delivered", or `FAILED`.
        lines: The records, each with its delimiter.
        oldest_ms: When the oldest of them arrived, in milliseconds since 1970; names the object.
    """

    kind: str
    lines: Sequence[bytes]
    oldest_ms: int


def object_key(settings: DeliverySettings, content: Content, evaluate_prefix: EvaluatePrefix) -> str:
    """Return a new key, as "Amazon S3 object name format" in Firehose's developer guide has it."""
    moment = time.gmtime(content.oldest_ms / 1000)
    if content.kind == FAILED:
        # Without a prefix for errors, they lie below the one for what is delivered.
        template = settings.error_prefix or f"{settings.prefix}{FAILED}/"
        prefix = evaluate_prefix(template, moment, error_type=FAILED)
    else:
        prefix = evaluate_prefix(settings.prefix, moment)
    name = f"{settings.name}-{settings.version}-{time.strftime('%Y-%m-%d-%H-%M-%S', moment)}-{uuid.uuid4()}"
    return f"{prefix}{name}{'.gz' if settings.is_compressed else ''}"


def write_object(s3: Any, settings: DeliverySettings, key: str, content: Content) -> int:
    """Write an object and return its size in bytes.

    Raises:
        botocore.exceptions.ClientError: The role may not write, or the bucket is gone.
    """
    body = b"".join(content.lines)
    if settings.is_compressed:
        body = gzip.compress(body, mtime=0)
    s3.put_object(Bucket=settings.bucket, Key=key, Body=body, ContentType="application/octet-stream")
    return len(body)
