"""Where embeddings come from: files, folders, patterns, standard input, S3."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from vectorops.embeddings.streams import Readable
from vectorops.errors import AwsError, InputDataError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_S3_ATTEMPTS = 5
_NPY = ".npy"
_IDS = ".ids.npy"


@dataclass(frozen=True)
class Source:
    """One file.

    Attributes:
        name: For messages and logs: path, URL, or "standard input".
        size_bytes: As stored, so compressed if it is; None when it is not known.
        open: Returns it as a stream from its beginning.
        can_reopen: Whether `open` can be called more than once.
        ids: For vectors in a .npy file, the file beside it that holds their ids, if there is one.
        version: Changes with the content: time of the last change, or S3's ETag; None when it is not known.
    """

    name: str
    size_bytes: int | None
    open: Callable[[], Readable]
    can_reopen: bool = True
    ids: "Source | None" = None
    version: str | None = None


def find_sources(
    specs: Sequence[str], *, stdin: BinaryIO | None = None, s3: "S3Client | None" = None
) -> list[Source]:
    """Return the files that `specs` name, in their order, each once; folders and patterns in name order.

    Args:
        specs: Each a path, a folder (with all below it), a pattern such as "part-*.csv.gz", "-" for standard
            input, "s3://bucket/key", or "s3://bucket/prefix/" (with all below it). What is below a folder or
            prefix and begins with "." or "_", or is empty, is passed over.
        stdin: What "-" stands for.
        s3: Client for the "s3://" ones.

    Raises:
        UsageError: A spec needs `stdin` or `s3`, and there is none, or names no bucket.
        InputDataError: A spec names nothing that exists.
        AwsError: S3 refused.
    """
    found: dict[str, Source] = {}
    for spec in specs:
        for source in _find(spec, stdin, s3):
            found.setdefault(source.name, source)
    if not found:
        raise UsageError("no source is given", hint="name a file, a folder, '-' or an s3:// URL")
    return _with_ids(found)


def stored_bytes(sources: Sequence[Source]) -> int | None:
    """Return how many bytes the sources are as stored, ids beside vectors included, or None if unknown."""
    with_ids = [*sources, *(source.ids for source in sources if source.ids)]
    sizes = [source.size_bytes for source in with_ids if source.size_bytes is not None]
    return sum(sizes) if len(sizes) == len(with_ids) else None


def _with_ids(found: dict[str, Source]) -> list[Source]:
    """Join "x.ids.npy" to "x.npy", where both are there."""
    joined = []
    for name, source in found.items():
        if name.endswith(_IDS) and name.removesuffix(_IDS) + _NPY in found:
            continue
        joined.append(replace(source, ids=found.get(name.removesuffix(_NPY) + _IDS, source.ids)))
    return joined


def _find(spec: str, stdin: BinaryIO | None, s3: "S3Client | None") -> list[Source]:
    if spec == "-":
        if stdin is None:
            raise UsageError("there is no standard input to read")
        return [Source("standard input", None, lambda: _Borrowed(stdin), can_reopen=False)]
    if spec.startswith("s3://"):
        if s3 is None:
            raise UsageError(f"cannot read {spec}", why="no S3 client is given")
        return _find_in_s3(spec, s3)
    return _find_on_disk(spec)


def _find_on_disk(spec: str) -> list[Source]:
    path = Path(spec)
    if path.is_dir():
        paths = [below for below in sorted(path.rglob("*")) if _counts(below.relative_to(path).parts)]
        files = [file for file in paths if file.is_file() and file.stat().st_size]
    elif path.exists():
        return [_file(path)]
    else:
        matches = sorted(glob(spec, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        files = [Path(match) for match in matches if Path(match).is_file()]
    if not files:
        is_url = "://" in spec or spec.startswith("s3:")
        hint = "write s3://bucket/key, or download it" if is_url else "check the path, or quote the pattern"
        raise InputDataError(f"there is no file {spec}", hint=hint)
    return [_file(file) for file in files]


def _counts(parts: Sequence[str]) -> bool:
    """Tell data from what tools leave beside it, such as _SUCCESS and .crc files."""
    return not any(part.startswith((".", "_")) for part in parts)


def _file(path: Path) -> Source:
    # A named pipe, such as the shell's <(…), can be read once only and has no size.
    is_regular = path.is_file()
    ids = path.with_name(path.name.removesuffix(_NPY) + _IDS)
    has_ids = path.name.endswith(_NPY) and not path.name.endswith(_IDS) and ids.is_file()
    return Source(
        str(path),
        path.stat().st_size if is_regular else None,
        lambda: _open(path),
        can_reopen=is_regular,
        ids=_file(ids) if has_ids else None,
        version=str(path.stat().st_mtime_ns) if is_regular else None,
    )


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as exc:
        raise InputDataError(f"cannot read {path}", why=exc.strerror or str(exc)) from exc


class _Borrowed:
    """A stream that its owner closes."""

    def __init__(self, stream: BinaryIO) -> None:
        self.read = stream.read

    def close(self) -> None:
        """Leave it open."""


def _find_in_s3(spec: str, s3: "S3Client") -> list[Source]:
    bucket, _, key = spec.removeprefix("s3://").partition("/")
    if not bucket:
        raise UsageError(f"{spec} names no bucket", hint="write s3://bucket/key or s3://bucket/prefix/")
    with _s3_errors(spec):
        if key and not key.endswith("/"):
            head = s3.head_object(Bucket=bucket, Key=key)
            source = _s3_source(s3, bucket, key, head["ContentLength"], head["ETag"])
            return [replace(source, ids=_ids_in_s3(s3, bucket, key))]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        objects = [entry for page in pages for entry in page.get("Contents", [])]
    found = [
        _s3_source(s3, bucket, entry["Key"], entry["Size"], entry["ETag"])
        for entry in objects
        if entry["Size"] and _counts(entry["Key"].removeprefix(key).split("/"))
    ]
    if not found:
        raise InputDataError(f"there is no object below {spec}")
    return found


def _ids_in_s3(s3: "S3Client", bucket: str, key: str) -> Source | None:
    if not key.endswith(_NPY) or key.endswith(_IDS):
        return None
    beside = key.removesuffix(_NPY) + _IDS
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=beside, MaxKeys=1).get("Contents", [])
    found = [entry for entry in listed if entry["Key"] == beside]
    return _s3_source(s3, bucket, beside, found[0]["Size"], found[0]["ETag"]) if found else None


def _s3_source(s3: "S3Client", bucket: str, key: str, size: int, etag: str) -> Source:
    return Source(f"s3://{bucket}/{key}", size, lambda: _S3Object(s3, bucket, key, size, etag), version=etag)


class _S3Object:
    """An object as a stream that goes on after a broken connection, as long as the object stays the same."""

    def __init__(self, s3: "S3Client", bucket: str, key: str, size: int, etag: str) -> None:
        self._s3, self._bucket, self._key, self._etag = s3, bucket, key, etag
        self._size = size
        self._url = f"s3://{bucket}/{key}"
        self._position = 0
        self._body: Any = None

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, or all that are left; none at the end."""
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        if self._position >= self._size:
            return b""
        problem: Exception | None = None
        for _ in range(_S3_ATTEMPTS):
            try:
                piece: bytes = (self._body or self._request()).read(size if size >= 0 else None)
            except (HTTPClientError, IncompleteReadError) as exc:
                problem = exc
                self.close()
            else:
                self._position += len(piece)
                return piece
        raise AwsError(f"lost {self._url} while reading it", why=str(problem)) from problem

    @property
    def closed(self) -> bool:
        """Say that it can be read."""
        return False

    def seekable(self) -> bool:
        """Say that reading can go on elsewhere."""
        return True

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go on reading elsewhere, by another request."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if start + offset != self._position:
            self.close()
            self._position = start + offset
        return self._position

    def close(self) -> None:
        """Give the connection back."""
        if self._body is not None:
            self._body.close()
            self._body = None

    def _request(self) -> Any:
        with _s3_errors(self._url):
            self._body = self._s3.get_object(
                Bucket=self._bucket, Key=self._key, IfMatch=self._etag, Range=f"bytes={self._position}-"
            )["Body"]
        return self._body


@contextlib.contextmanager
def _s3_errors(url: str) -> Iterator[None]:
    """Say what S3's error codes mean for `url`."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as exc:
        code = exc.response.get("Error", {}).get("Code", "")
        if code == "NoSuchBucket":
            raise InputDataError(f"there is no {url}", why="there is no such bucket") from exc
        if code in ("404", "NoSuchKey"):
            raise InputDataError(f"there is no {url}", hint="a prefix ends in '/'") from exc
        if code in ("412", "PreconditionFailed"):
            raise InputDataError(f"{url} was replaced while it was read", hint="run the load again") from exc
        raise AwsError(f"cannot read {url}", why=str(exc)) from exc
    except BotoCoreError as exc:
        raise AwsError(f"cannot read {url}", why=str(exc)) from exc
