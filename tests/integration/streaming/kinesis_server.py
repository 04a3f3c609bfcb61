"""A server that speaks as much of Kinesis as PutRecords needs, and refuses what a test tells it to."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vectorops.aws import Aws, Credentials
from vectorops.local.ports import LOOPBACK

# Of the records of a call, by its number: for each the code of an error, or "" when it is taken.
Refusals = Callable[[int, list[bytes]], list[str]]


@dataclass
class KinesisServer:
    """What it was sent.

    Attributes:
        calls: The records of each call.
        taken: The records that were taken, with their partition keys, in the order they came.
    """

    refuse: Refusals
    calls: list[list[bytes]] = field(default_factory=list)
    taken: list[tuple[bytes, str]] = field(default_factory=list)
    url: str = ""

    def client(self, *, attempts: int = 5) -> Any:
        credentials = Credentials("k", "s")
        aws = Aws("us-east-1", endpoint_url=self.url, credentials=credentials, attempts=attempts)
        return aws.client("kinesis")

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        records = [(base64.b64decode(one["Data"]), one["PartitionKey"]) for one in request["Records"]]
        self.calls.append([data for data, _ in records])
        codes = self.refuse(len(self.calls), [data for data, _ in records])
        self.taken += [record for record, code in zip(records, codes, strict=True) if not code]
        entries = [
            {"ErrorCode": code, "ErrorMessage": "refused"}
            if code
            else {"SequenceNumber": "1", "ShardId": "s"}
            for code in codes
        ]
        return {"FailedRecordCount": sum(map(bool, codes)), "Records": entries}


@contextmanager
def running_kinesis(refuse: Refusals) -> Iterator[KinesisServer]:
    kinesis = KinesisServer(refuse)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(kinesis.answer(request)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    kinesis.url = f"http://{LOOPBACK}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield kinesis
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
