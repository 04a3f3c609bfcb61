"""The log of a Glue run: lines of its files go to CloudWatch Logs while it runs."""

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

logger = logging.getLogger(__name__)

# PutLogEvents takes 10,000 events and 1 MiB, each event counted with 26 bytes more (CloudWatch Logs API).
_CHUNK_BYTES = 128 * 1024
_EVENTS_PER_CALL = 5_000


class LogStream:
    """Copies what is appended to a file to a log stream, line by line.

    When the job's role may not write there, the run goes on without a log, as on AWS.

    Args:
        logs: CloudWatch Logs client with the credentials of the job's role.
        group: Log group; made when missing.
        stream: New log stream.
        path: File, which need not be there yet.
    """

    def __init__(self, logs: Any, group: str, stream: str, path: Path) -> None:
        self._logs = logs
        self._place = {"logGroupName": group, "logStreamName": stream}
        self._path = path
        self._offset = 0
        self._rest = b""
        self._exists = self._refused = False

    def ship(self, *, to_the_end: bool = False) -> None:
        """Send the lines that are new; with `to_the_end` also a last one without a line end."""
        try:
            for chunk in self._read():
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                self._send(lines)
                if len(self._rest) >= _CHUNK_BYTES:
                    self._send_rest()
            if to_the_end:
                self._send_rest()
        except (ClientError, BotoCoreError) as exc:
            self._refused = True
            logger.warning("no log in %s: %s", self._place["logGroupName"], exc)

    def _read(self) -> Iterator[bytes]:
        if self._refused or not self._path.is_file():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            while chunk := file.read(_CHUNK_BYTES):
                self._offset += len(chunk)
                yield chunk

    def _send(self, lines: list[bytes]) -> None:
        now_ms = int(time.time() * 1000)
        texts = [line.decode("utf-8", errors="replace").rstrip("\r") for line in lines]
        events = [{"timestamp": now_ms, "message": text} for text in texts if text]
        if events and not self._exists:
            self._create()
        for start in range(0, len(events), _EVENTS_PER_CALL):
            self._logs.put_log_events(**self._place, logEvents=events[start : start + _EVENTS_PER_CALL])

    def _send_rest(self) -> None:
        self._send([self._rest])
        self._rest = b""

    def _create(self) -> None:
        try:
            self._logs.create_log_stream(**self._place)
        except self._logs.exceptions.ResourceNotFoundException:
            self._create_group()
            self._logs.create_log_stream(**self._place)
        self._exists = True

    def _create_group(self) -> None:
        # Another run may make it at the same time.
        with contextlib.suppress(self._logs.exceptions.ResourceAlreadyExistsException):
            self._logs.create_log_group(logGroupName=self._place["logGroupName"])
