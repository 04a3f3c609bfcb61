"""Loading from S3, through a real S3 API."""

import gzip
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.embeddings.load_samples import GOOD, Loader, counts, large_csv
from vectorops.embeddings.load import load_embeddings
from vectorops.embeddings.sources import find_sources
from vectorops.errors import AwsError, InputDataError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@pytest.fixture
def bucket(s3: "S3Client") -> str:
    """Name of an empty bucket."""
    name = f"artefacts-{secrets.token_hex(4)}"
    s3.create_bucket(Bucket=name)
    return name


def test_an_object_loads(loader: Loader, s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="embeddings/item_embeddings.csv", Body=GOOD.encode())
    sources = find_sources([f"s3://{bucket}/embeddings/item_embeddings.csv"], s3=s3)
    report = load_embeddings(loader.connection, sources, table="t")
    assert counts(report) == {"inserted": 2}
    assert loader.loads()[0].sources == [f"s3://{bucket}/embeddings/item_embeddings.csv"]


def test_a_prefix_stands_for_the_data_below_it(loader: Loader, s3: "S3Client", bucket: str) -> None:
    objects = {
        "run/b.csv": b'id,embedding\nb,"[4,5,6]"\n',
        "run/a.csv.gz": gzip.compress(b'id,embedding\na,"[1,2,3]"\n'),
        "run/_SUCCESS": b"",
        "run/.a.csv.crc": b"\0",
        "run/_temporary/c.csv": b"c",
        "run2/d.csv": b"d",
    }
    for key, body in objects.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    sources = find_sources([f"s3://{bucket}/run/"], s3=s3)
    assert [source.name for source in sources] == [
        f"s3://{bucket}/run/{name}" for name in ("a.csv.gz", "b.csv")
    ]
    assert [source.size_bytes for source in sources] == [
        len(objects["run/a.csv.gz"]),
        len(objects["run/b.csv"]),
    ]
    load_embeddings(loader.connection, sources, table="t")
    assert loader.rows() == {"a": [1, 2, 3], "b": [4, 5, 6]}


def test_a_prefix_of_more_objects_than_one_answer_holds_is_listed_whole(s3: "S3Client", bucket: str) -> None:
    for number in range(1_005):
        s3.put_object(Bucket=bucket, Key=f"many/{number:05}", Body=b"x")
    assert len(find_sources([f"s3://{bucket}/many/"], s3=s3)) == 1_005


@pytest.mark.parametrize("key", ["nothing.csv", "nothing/"])
def test_what_is_not_there_is_said_so(s3: "S3Client", bucket: str, key: str) -> None:
    with pytest.raises(InputDataError, match=f"there is no .*s3://{bucket}/{key}"):
        find_sources([f"s3://{bucket}/{key}"], s3=s3)


def test_a_bucket_that_is_not_there_is_said_so(s3: "S3Client") -> None:
    with pytest.raises(InputDataError, match=r"there is no s3://no-such-bucket-7/a\.csv"):
        find_sources(["s3://no-such-bucket-7/a.csv"], s3=s3)
    with pytest.raises(InputDataError, match="there is no such bucket"):
        find_sources(["s3://no-such-bucket-7/a/"], s3=s3)


def test_an_object_that_is_replaced_meanwhile_is_not_mixed_up(
    loader: Loader, s3: "S3Client", bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=GOOD.encode())
    sources = find_sources([f"s3://{bucket}/a.csv"], s3=s3)
    s3.put_object(Bucket=bucket, Key="a.csv", Body=GOOD.replace("3", "9").encode())
    with pytest.raises(InputDataError, match="was replaced while it was read"):
        load_embeddings(loader.connection, sources, table="t")
    assert loader.rows() == {}


class Breaking:
    """A client whose connections break after a number of bytes each."""

    def __init__(self, s3: "S3Client", after: int, times: int) -> None:
        self._s3, self._after, self._times = s3, after, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def get_object(self, **request: Any) -> Any:
        answer = self._s3.get_object(**request)
        if self._times:
            self._times -= 1
            answer["Body"] = _BreakingBody(answer["Body"], self._after)  # type: ignore[typeddict-item]
        return answer


class _BreakingBody:
    def __init__(self, body: Any, after: int) -> None:
        self._body, self._left = body, after

    def read(self, size: int) -> bytes:
        from botocore.exceptions import ResponseStreamingError

        if not self._left:
            raise ResponseStreamingError(error="connection broken")
        piece: bytes = self._body.read(min(size, self._left))
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._body.close()


def test_reading_goes_on_after_broken_connections(loader: Loader, s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=large_csv(100_000).encode())
    sources = find_sources([f"s3://{bucket}/a.csv"], s3=Breaking(s3, 300_001, 4))  # type: ignore[arg-type]
    report = load_embeddings(loader.connection, sources, table="t")
    assert counts(report) == {"inserted": 100_000}


def test_a_connection_that_always_breaks_ends_the_load(loader: Loader, s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=large_csv(1_000).encode())
    sources = find_sources([f"s3://{bucket}/a.csv"], s3=Breaking(s3, 0, 1_000))  # type: ignore[arg-type]
    with pytest.raises(AwsError, match=f"lost s3://{bucket}/a.csv while reading it: .*connection broken"):
        load_embeddings(loader.connection, sources, table="t")
    assert loader.rows() == {}
