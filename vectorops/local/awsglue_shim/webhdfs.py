"""A WebHDFS server on loopback through which Spark reads and writes S3.

Spark comes with a client for WebHDFS, and without one for S3: that one is a separate download of 300 MB.
The protocol is that of the Hadoop documentation, "WebHDFS REST API"; what Spark does not use is not here.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from vectorops.local.awsglue_shim.s3_files import Entry, S3Files

_ROOT = "/webhdfs/v1"
_BLOCK_BYTES = 1 << 20
_DENIED = ("403", "AccessDenied")


@contextmanager
def serve(files: S3Files, token: str) -> Iterator[int]:
    """Serve `files` on a free port of 127.0.0.1, and yield the port.

    Args:
        files: What is served.
        token: First part that every path must have, so that no other program on this machine gets in.
    """
    server = _Server(files, token)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, files: S3Files, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.token = token


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The answers are small and come in two writes; waiting to join them costs 40 ms each.
    disable_nagle_algorithm = True
    server: _Server
    raw_requestline: bytes

    def parse_request(self) -> bool:
        """Read the request line; Hadoop writes paths in raw UTF-8, where bytes 85 and A0 look like blanks."""
        line = self.raw_requestline
        self.raw_requestline = b"".join(bytes([byte]) if byte < 128 else b"%%%02X" % byte for byte in line)
        return super().parse_request()

    def do_GET(self) -> None:
        self._answer(
            {
                "GETFILESTATUS": self._status,
                "LISTSTATUS": self._list,
                "OPEN": self._open,
                "GET_BLOCK_LOCATIONS": self._locate_blocks,
            }
        )

    def do_PUT(self) -> None:
        self._answer({"MKDIRS": self._make_folder, "CREATE": self._create, "RENAME": self._rename})

    def do_DELETE(self) -> None:
        self._answer({"DELETE": self._delete})

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: stderr is the job's log."""

    def _answer(self, operations: dict[str, Any]) -> None:
        url = urlsplit(self.path)
        self.query = {name.lower(): values[0] for name, values in parse_qs(url.query).items()}
        operation = operations.get(self.query.get("op", "").upper())
        try:
            if self.query.get("op") == "GETHOMEDIRECTORY":  # asked for the root, above the token
                self._json({"Path": "/"})
                return
            self.file = self._below_token(unquote(url.path).removeprefix(_ROOT))
            if operation is None:
                # In these words clients recognise what a server does not have, and do without.
                reason = f'Invalid value for webhdfs parameter "op": {self.query.get("op")}'
                self._fail(400, "java.lang.IllegalArgumentException", reason)
            else:
                operation()
        except FileNotFoundError as exc:
            self._fail(404, "java.io.FileNotFoundException", f"{exc} does not exist")
        except ClientError as exc:
            denied = exc.response["Error"]["Code"] in _DENIED
            name = "org.apache.hadoop.security.AccessControlException" if denied else "java.io.IOException"
            self._fail(403 if denied else 500, name, f"s3:/{self.file}: {exc}")
        except BotoCoreError as exc:
            self._fail(500, "java.io.IOException", f"s3:/{self.file}: {exc}")

    def _below_token(self, path: str) -> str:
        head, _, rest = path.strip("/").partition("/")
        if head != self.server.token:
            raise FileNotFoundError(path)
        return f"/{rest}"

    def _status(self) -> None:
        entry = self.server.files.entry(self.file)
        if entry is None:
            raise FileNotFoundError(self.file)
        self._json({"FileStatus": _file_status(entry, suffix="")})

    def _list(self) -> None:
        found = [_file_status(child, child.name) for child in self.server.files.children(self.file)]
        if not found:
            entry = self.server.files.entry(self.file)
            if entry is None:
                raise FileNotFoundError(self.file)
            found = [] if entry.is_folder else [_file_status(entry, suffix="")]
        self._json({"FileStatuses": {"FileStatus": found}})

    def _open(self) -> None:
        if self._redirected():
            return
        wanted = int(self.query["length"]) if "length" in self.query else None
        length, blocks = self.server.files.open(self.file, int(self.query.get("offset", 0)), wanted)
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        try:
            for block in blocks:
                self.wfile.write(block)
        except BotoCoreError as exc:  # too late for another answer; the hung-up connection is one
            raise ConnectionError(f"s3:/{self.file} broke off") from exc

    def _locate_blocks(self) -> None:
        located = {
            "fileLength": 0,
            "isUnderConstruction": False,
            "locatedBlocks": [],
            "isLastBlockComplete": True,
        }
        self._json({"LocatedBlocks": located})

    def _make_folder(self) -> None:
        self.server.files.make_folder(self.file)
        self._json({"boolean": True})

    def _create(self) -> None:
        if self._redirected():
            return
        self.server.files.create(self.file, self._read_body)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _rename(self) -> None:
        target = self._below_token(self.query["destination"])
        self._json({"boolean": self.server.files.rename(self.file, target)})

    def _delete(self) -> None:
        self._json({"boolean": self.server.files.delete(self.file)})

    def _redirected(self) -> bool:
        """Data goes to another address by the protocol; we send the client back to this one, marked."""
        if "data" in self.query:
            return False
        self.send_response(307)
        self.send_header("Location", f"http://{self.headers['Host']}{self.path}&data=true")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return True

    def _read_body(self, file: BinaryIO) -> None:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            _copy(self.rfile, file, int(self.headers.get("Content-Length", 0)))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            _copy(self.rfile, file, size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass

    def _json(self, value: Any, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _fail(self, status: int, java_class: str, message: str) -> None:
        name = java_class.rpartition(".")[2]
        error = {"exception": name, "javaClassName": java_class, "message": message}
        self._json({"RemoteException": error}, status)


def _copy(source: Any, target: BinaryIO, size: int) -> None:
    while size:
        block = source.read(min(size, _BLOCK_BYTES))
        if not block:
            raise ConnectionError("the connection ended in the middle of a file")
        target.write(block)
        size -= len(block)


def _file_status(entry: Entry, suffix: str) -> dict[str, Any]:
    return {
        "pathSuffix": suffix,
        "type": "DIRECTORY" if entry.is_folder else "FILE",
        "length": entry.size,
        "modificationTime": entry.modified_ms,
        "accessTime": entry.modified_ms,
        "blockSize": 128 << 20,
        "replication": 1,
        "owner": "vectorops",
        "group": "vectorops",
        "permission": "777" if entry.is_folder else "666",
        "fileId": 0,
        "childrenNum": 0,
        "storagePolicy": 0,
    }
