"""The inference endpoint of the replaced design, and how its transform calls it: three times per record.

A function URL speaks HTTPS only, and each call makes a connection of its own. The endpoint itself is as lean
as it can be: no Lambda in between, and a database connection that stays open.
"""

import base64
import functools
import http.server
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import psycopg
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from threadpoolctl import threadpool_limits

from vectorops.database.connection import DatabaseAddress, connect
from vectorops.local.ports import LOOPBACK
from vectorops.recommender.inference import UserModel

CHECKOUT = Path(__file__).parents[1]


class Caller:
    """Calls the endpoint as the replaced transform does: one after the other, each on a new connection."""

    def __init__(self, url: str, certificate: Path, limit: int) -> None:
        self._url, self._certificate, self._limit = url, str(certificate), limit

    def recommend(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return what is added to `event`."""
        user = {"city": event["city"], "country": event["country"], "creditlimit": event["credit_limit"]}
        code = event["browse_history"][-1]["product_code"]
        [vector] = self._call("POST", "/user_embeddings", json=[user])
        items = self._call("POST", f"/items_from_user?limit={self._limit}", json=vector)
        similar = self._call("GET", f"/items_from_item?item_id={code}&limit={self._limit}")
        return {"recommended_items": items, "similar_items": {"product_code": code, "similar_items": similar}}

    def _call(self, method: str, path: str, **body: object) -> Any:
        with urllib3.PoolManager(ca_certs=self._certificate) as pool:
            return pool.request(method, self._url + path, **body).json()  # type: ignore[arg-type]


class Handler(http.server.BaseHTTPRequestHandler):
    """Embeds by the model, and searches by one SQL statement."""

    NEAREST = "SELECT id, 1 - (embedding <=> {0}) FROM item_emb ORDER BY embedding <=> {0} LIMIT %(limit)s"
    OF_VECTOR = NEAREST.format("%(query)s::vector")
    OF_ITEM = NEAREST.format("(SELECT embedding FROM item_emb WHERE id = %(query)s)")

    def __init__(self, model: UserModel, connection: psycopg.Connection[Any], *more: Any) -> None:
        self._model, self._connection = model, connection
        super().__init__(*more)

    def do_POST(self) -> None:
        """Embed users, or search by a vector."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.startswith("/user_embeddings"):
            self._answer(self._model.embed(body).tolist())
        else:
            self._answer(self._nearest(self.OF_VECTOR, np.array(body, np.float32)))

    def do_GET(self) -> None:
        """Search by an item."""
        self._answer(self._nearest(self.OF_ITEM, self._query()["item_id"][0]))

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)

    def _nearest(self, statement: str, query: object) -> list[dict[str, Any]]:
        parameters = {"query": query, "limit": int(self._query()["limit"][0])}
        return [{"id": id_, "score": score} for id_, score in self._connection.execute(statement, parameters)]

    def _answer(self, result: object) -> None:
        body = json.dumps(result).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def replaced_inference(
    database: DatabaseAddress, tower: bytes, folder: Path, *, limit: int
) -> Iterator[Caller]:
    """Run the endpoint in a process of its own."""
    certificate, key = make_certificate(folder)
    told = {"database": asdict(database), "tower": base64.b64encode(tower).decode()}
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.replaced_inference", str(certificate), str(key)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None and server.stdout is not None
    try:
        server.stdin.write(json.dumps(told) + "\n")
        server.stdin.flush()
        yield Caller(server.stdout.readline().strip(), certificate, limit)
    finally:
        server.kill()
        server.wait()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for loopback that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "benchmark")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(LOOPBACK))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return folder / "certificate.pem", folder / "key.pem"


def main() -> None:
    """Serve until killed; the first line on standard input says what, standard output says where."""
    told = json.loads(sys.stdin.readline())
    model = UserModel(base64.b64decode(told["tower"]))
    connection = connect(DatabaseAddress(**told["database"]))
    server = http.server.HTTPServer((LOOPBACK, 0), functools.partial(Handler, model, connection))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[1:3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(f"https://{LOOPBACK}:{server.server_port}", flush=True)
    with threadpool_limits(1):
        server.serve_forever()


if __name__ == "__main__":
    main()
