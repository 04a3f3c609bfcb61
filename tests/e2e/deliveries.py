"""What became of events: every line that was delivered, every record that failed, read from S3 itself."""

import base64
import gzip
import json
import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

from tests.e2e.aws import client
from tests.e2e.cli import Cli

# Without anything new. A batch that the transform cannot finish takes its timeout, a few times.
PATIENCE_S = 300


def outputs_of(stack: Cli) -> dict[str, Any]:
    """Return the outputs of the deployed stack."""
    state = json.loads((stack.project / ".vectorops/local/terraform.tfstate").read_text())
    return {name: output["value"] for name, output in state["outputs"].items()}


class Deliveries:
    """The delivered and the failed so far; each object is read once.

    Attributes:
        delivered: How often each session was delivered.
        failed: Codes of the errors of each record, by its original bytes.
    """

    def __init__(self, stack: Cli) -> None:
        outputs = outputs_of(stack)
        self.delivered: Counter[str] = Counter()
        self.failed: dict[bytes, list[str]] = {}
        self._s3 = client(stack, "s3")
        self._bucket = outputs["recommendations_bucket"]
        self._prefixes = {
            outputs["recommendations_prefix"]: self._note_delivered,
            outputs["errors_prefix"]: self._note_failed,
        }
        self._seen: set[str] = set()

    def look(self) -> None:
        """Read what is new."""
        for prefix, note in self._prefixes.items():
            for page in self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            ):
                for key in [entry["Key"] for entry in page.get("Contents", [])]:
                    if key not in self._seen:
                        self._seen.add(key)
                        self._read(key, note)

    def wait(self, is_done: Callable[[], bool]) -> None:
        """Look until `is_done`, or until nothing has come for long."""
        changed_at, size = time.monotonic(), -1
        while True:
            self.look()
            if is_done():
                return
            if len(self._seen) > size:
                changed_at, size = time.monotonic(), len(self._seen)
            assert time.monotonic() - changed_at < PATIENCE_S, f"stuck: {len(self.delivered)} delivered"
            time.sleep(0.5)

    def wait_for(self, events: Collection[bytes]) -> None:
        """Wait until each event was delivered or has failed."""
        self.wait(lambda: all(self._has_ended(event) for event in events))

    def sessions(self, prefix: str) -> Counter[str]:
        """Return the delivered sessions whose id begins so."""
        return Counter({name: count for name, count in self.delivered.items() if name.startswith(prefix)})

    def _has_ended(self, event: bytes) -> bool:
        return event in self.failed or session_of(event) in self.delivered

    def _read(self, key: str, note: Callable[[dict[str, Any]], None]) -> None:
        content = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        text = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        assert text.endswith(b"\n"), key
        for line in text[:-1].split(b"\n"):
            fields = json.loads(line)
            assert isinstance(fields, dict), line
            note(fields)

    def _note_delivered(self, event: dict[str, Any]) -> None:
        assert {"recommended_items", "similar_items"} <= event.keys()
        self.delivered[str(event.get("session_id"))] += 1

    def _note_failed(self, record: dict[str, Any]) -> None:
        assert record["attemptsMade"] >= 1
        assert record["attemptEndingTimestamp"] >= record["arrivalTimestamp"] > 0
        assert ":function:" in record["lambdaArn"]
        self.failed.setdefault(base64.b64decode(record["rawData"]), []).append(record["errorCode"])


def session_of(event: bytes) -> str | None:
    try:
        fields = json.loads(event)
    except ValueError:
        return None
    return fields.get("session_id") if isinstance(fields, dict) else None
