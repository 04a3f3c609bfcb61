"""What a delivery stream has written to S3: objects in a folder for each hour of UTC."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vectorops.errors import InputDataError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HOUR = timedelta(hours=1)
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class DeliveredObject:
    """An object as a listing shows it.

    Attributes:
        landed_at: When S3 stored it, to the second on AWS.
        size_bytes: As stored, so compressed if it is.
    """

    key: str
    landed_at: datetime
    size_bytes: int


def hour_folder(moment: datetime) -> str:
    """Return the folder of a moment, such as "2026/11/21/06/"."""
    return f"{moment.astimezone(UTC):%Y/%m/%d/%H/}"


def hour_folders(since: datetime, until: datetime) -> list[str]:
    """Return the folders from one moment to another, oldest first."""
    first, last = (
        moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0) for moment in (since, until)
    )
    return [hour_folder(first + number * HOUR) for number in range((last - first) // HOUR + 1)]


def list_objects(
    s3: "S3Client", bucket: str, prefix: str, *, start_after: str = ""
) -> Iterator[DeliveredObject]:
    """Yield the objects below `prefix` in the order of keys."""
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, StartAfter=start_after or prefix
    )
    for page in pages:
        for entry in page.get("Contents", []):
            yield DeliveredObject(entry["Key"], entry["LastModified"], entry["Size"])


def list_folders(s3: "S3Client", bucket: str, prefix: str) -> list[str]:
    """Return the folders directly below `prefix`, as prefixes."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    return [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]


def read_lines(s3: "S3Client", bucket: str, key: str) -> list[bytes]:
    """Return the lines of an object that are not empty; gzip is recognised by its content.

    Raises:
        InputDataError: It is damaged gzip.
    """
    content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as exc:
            raise InputDataError(f"s3://{bucket}/{key} is damaged gzip data", why=str(exc)) from exc
    # Not splitlines(), for which a lone CR or a form feed ends a line too.
    return [line for line in content.split(b"\n") if line.strip()]
