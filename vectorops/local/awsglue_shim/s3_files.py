"""Files and folders on top of the S3 API, as Spark's output committer expects them of a file system."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

_BLOCK_BYTES = 1 << 20
_DELETE_LIMIT = 1_000  # keys of one DeleteObjects call
_UNCOMMITTED = "_temporary"  # Hadoop's FileOutputCommitter writes below this folder until it commits
_NOT_THERE = ("404", "NoSuchKey")
_NO_THREADS = TransferConfig(use_threads=False)


@dataclass(frozen=True)
class Entry:
    """One file or folder.

    Attributes:
        name: Last part of its path.
        size: Bytes; 0 for a folder.
        modified_ms: Milliseconds since 1970; 0 for a folder.
    """

    name: str
    is_folder: bool
    size: int = 0
    modified_ms: int = 0


class S3Files:
    """Buckets as top-level folders. Folders exist as long as there is an object in them.

    Files that a task has not committed are kept in a local folder and become objects when they are
    renamed to their place, as the committers of Glue and EMR do: S3 has no rename.

    Args:
        s3: boto3 S3 client; all access happens with its credentials.
        spool: Folder for uncommitted files.
    """

    def __init__(self, s3: Any, spool: Path) -> None:
        self._s3 = s3
        self._spool = spool

    def entry(self, path: str) -> Entry | None:
        """Describe the file or folder at `path` ("/bucket/key"), or return None when there is none."""
        if _is_uncommitted(path):
            local = self._local(path)
            return _local_entry(local) if local.exists() else None
        bucket, key = _split(path)
        name = PurePosixPath(path).name
        if key and (head := self._head(bucket, key)):
            return Entry(name, False, head["ContentLength"], _milliseconds(head["LastModified"]))
        listed = self._s3.list_objects_v2(Bucket=bucket, Prefix=f"{key}/" if key else "", MaxKeys=1)
        return Entry(name, True) if not key or listed.get("Contents") or self._local(path).is_dir() else None

    def children(self, path: str) -> list[Entry]:
        """Return what is directly in the folder at `path`."""
        local = self._local(path)
        found = [_local_entry(child) for child in sorted(local.iterdir())] if local.is_dir() else []
        if _is_uncommitted(path):
            return found
        return found + list(self._remote_children(*_split(path)))

    def open(self, path: str, offset: int, length: int | None) -> tuple[int, Iterator[bytes]]:
        """Return how many bytes the file at `path` has from `offset` on, at most `length`, and the bytes.

        Raises:
            FileNotFoundError: There is no such file.
        """
        if _is_uncommitted(path):
            content = self._local(path).read_bytes()[offset:][:length]
            return len(content), iter([content])
        bucket, key = _split(path)
        end = "" if length is None else str(offset + length - 1)
        try:
            answer = self._s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={offset}-{end}")
        except ClientError as exc:
            if exc.response["Error"]["Code"] == "InvalidRange":
                return 0, iter(())
            if exc.response["Error"]["Code"] in _NOT_THERE:
                raise FileNotFoundError(path) from exc
            raise
        return answer["ContentLength"], answer["Body"].iter_chunks(_BLOCK_BYTES)

    def create(self, path: str, write: Callable[[BinaryIO], None]) -> None:
        """Make the file at `path` of what `write` writes. It exists when all is written, or not at all."""
        if _is_uncommitted(path):
            local = self._local(path)
            local.parent.mkdir(parents=True, exist_ok=True)
            with local.open("wb") as file:
                write(file)
            return
        with tempfile.NamedTemporaryFile(dir=self._spool) as file:
            write(cast(BinaryIO, file))
            file.flush()
            self._upload(Path(file.name), path)

    def make_folder(self, path: str) -> None:
        """Make a folder for uncommitted files; any other exists by itself."""
        if _is_uncommitted(path):
            self._local(path).mkdir(parents=True, exist_ok=True)

    def rename(self, source: str, target: str) -> bool:
        """Move a file or a folder; say whether there was anything to move."""
        if _is_uncommitted(source):
            return self._rename_local(self._local(source), target)
        moved = [(bucket, key) for bucket, key in self._objects(source)]
        _, source_key = _split(source)
        for bucket, key in moved:
            to_bucket, to_key = _split(target + key[len(source_key) :])
            self._s3.copy({"Bucket": bucket, "Key": key}, to_bucket, to_key, Config=_NO_THREADS)
        self._delete_objects(moved)
        return bool(moved)

    def delete(self, path: str) -> bool:
        """Remove a file, or a folder with all in it; say whether there was anything."""
        local = self._local(path)
        was_there = local.exists()
        if local.is_dir():
            shutil.rmtree(local)
        else:
            local.unlink(missing_ok=True)
        if _is_uncommitted(path):
            return was_there
        found = list(self._objects(path))
        self._delete_objects(found)
        return was_there or bool(found)

    def _rename_local(self, source: Path, target: str) -> bool:
        if not source.exists():
            return False
        if _is_uncommitted(target):
            destination = self._local(target)
            destination.parent.mkdir(parents=True, exist_ok=True)
            source.rename(destination)
            return True
        for file in [source] if source.is_file() else sorted(source.rglob("*")):
            if file.is_file():
                inside = file.relative_to(source).as_posix()
                self._upload(file, target if inside == "." else f"{target}/{inside}")
        shutil.rmtree(source) if source.is_dir() else source.unlink()
        return True

    def _upload(self, file: Path, path: str) -> None:
        bucket, key = _split(path)
        with file.open("rb") as body:
            self._s3.upload_fileobj(body, bucket, key, Config=_NO_THREADS)

    def _head(self, bucket: str, key: str) -> dict[str, Any] | None:
        try:
            head: dict[str, Any] = self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError as exc:
            if exc.response["Error"]["Code"] in _NOT_THERE:
                return None
            raise
        return head

    def _remote_children(self, bucket: str, key: str) -> Iterator[Entry]:
        prefix = f"{key}/" if key else ""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, Delimiter="/"
        )
        for page in pages:
            for folder in page.get("CommonPrefixes", []):
                yield Entry(PurePosixPath(folder["Prefix"]).name, True)
            for found in page.get("Contents", []):
                if found["Key"] != prefix:
                    name = PurePosixPath(found["Key"]).name
                    yield Entry(name, False, found["Size"], _milliseconds(found["LastModified"]))

    def _objects(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield bucket and key of the object at `path`, and of all below it."""
        bucket, key = _split(path)
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
            for found in page.get("Contents", []):
                if found["Key"] == key or found["Key"].startswith(f"{key}/"):
                    yield bucket, found["Key"]

    def _delete_objects(self, objects: list[tuple[str, str]]) -> None:
        for start in range(0, len(objects), _DELETE_LIMIT):
            batch = objects[start : start + _DELETE_LIMIT]
            self._s3.delete_objects(
                Bucket=batch[0][0], Delete={"Objects": [{"Key": key} for _, key in batch], "Quiet": True}
            )

    def _local(self, path: str) -> Path:
        return self._spool / path.strip("/")


def _is_uncommitted(path: str) -> bool:
    return _UNCOMMITTED in PurePosixPath(path).parts


def _split(path: str) -> tuple[str, str]:
    bucket, _, key = path.strip("/").partition("/")
    return bucket, key


def _local_entry(path: Path) -> Entry:
    if path.is_dir():
        return Entry(path.name, True)
    stat = path.stat()
    return Entry(path.name, False, stat.st_size, int(stat.st_mtime * 1000))


def _milliseconds(when: datetime) -> int:
    return int(when.timestamp() * 1000)
