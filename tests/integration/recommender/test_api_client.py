"""The inference API's client against a server that speaks HTTP."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from vectorops.errors import AwsError, InputDataError, VectorOpsError
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.recommender.api_client import InferenceClient

ITEMS = [{"id": "S10_1949", "score": 0.93}]


@dataclass
class Server:
    """Answers every request as told, and remembers it."""

    port: int = 0
    status: int = 200
    answer: Any = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/api/"

    def client(self, key: str = "AKIDEXAMPLE") -> InferenceClient:
        return InferenceClient(self.url, region="eu-west-1", credentials=Credentials(key, "secret", "token"))


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.requests.append((self.command, self.path, headers, body))
            content = state.answer if isinstance(state.answer, bytes) else json.dumps(state.answer).encode()
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve

        def log_message(self, *args: object) -> None: ...

    served = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    state.port = served.server_port
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield state
    served.shutdown()
    thread.join()
    served.server_close()


def test_every_endpoint_is_called_as_the_api_describes_it(server: Server) -> None:
    client = server.client()
    server.answer = [[0.5, -1.0]]
    assert client.user_vector("Nantes", "France", 21_000) == [0.5, -1.0]
    server.answer = ITEMS
    assert client.items_from_user([0.5, -1.0], 3) == ITEMS
    assert client.items_from_item("S10/19 49+é", 4) == ITEMS
    calls = [(method, path, json.loads(body or b"null")) for method, path, _, body in server.requests]
    assert calls == [
        ("POST", "/api/user_embeddings", [{"city": "Nantes", "country": "France", "creditlimit": 21_000}]),
        ("POST", "/api/items_from_user?limit=3", [0.5, -1.0]),
        ("GET", "/api/items_from_item?item_id=S10%2F19%2049%2B%C3%A9&limit=4", None),
    ]


def test_requests_are_signed_for_lambda_over_their_body(server: Server) -> None:
    server.answer = ITEMS
    server.client().items_from_user([0.5], 3)
    method, _, headers, body = server.requests[0]
    authorization = headers["authorization"]
    assert "/eu-west-1/lambda/aws4_request" in authorization
    assert headers["x-amz-security-token"] == "token"
    again = AWSRequest(
        method,
        f"{server.url}items_from_user?limit=3",
        data=body,
        headers={name: headers[name] for name in ("content-type", "x-amz-date", "x-amz-security-token")},
    )
    again.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", "secret", "token"), "lambda", "eu-west-1")
    signature = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    assert authorization.endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    ("status", "answer", "kind", "said"),
    [
        (400, {"error": "limit is wrong", "request_id": "r1"}, InputDataError, "limit is wrong (request r1)"),
        (403, {"Message": "Forbidden"}, AwsError, "inference_caller_policy_arn"),
        (404, {"error": "no item has this item_id"}, InputDataError, "the catalogue has no item 'X'"),
        (429, {"Reason": "ConcurrentInvocationLimitExceeded"}, AwsError, "reserved concurrency"),
        (502, b"Internal Server Error", AwsError, "log of the inference function"),
        (503, {"error": "not available at the moment"}, AwsError, "vectorops status"),
        (503, b"", AwsError, "no reason given"),
    ],
)
def test_an_answer_that_is_none_says_why_and_what_to_do(
    server: Server, status: int, answer: Any, kind: type[VectorOpsError], said: str
) -> None:
    server.status, server.answer = status, answer
    with pytest.raises(kind) as caught:
        server.client().items_from_item("X", 5)
    assert said in f"{caught.value} {caught.value.hint}"
    assert str(status) in str(caught.value)


def test_an_api_that_is_not_there_is_an_aws_error() -> None:
    with pytest.raises(AwsError, match="does not answer"):
        Server(port=find_free_port()).client().items_from_item("X", 5)
