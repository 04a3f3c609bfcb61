"""Compressed, counted, cut short."""

import gzip
import hashlib
import io
from collections.abc import Callable
from contextlib import closing
from typing import BinaryIO, cast

import pytest
import zstandard

from vectorops.embeddings.seekable import reopenable
from vectorops.embeddings.sources import find_sources
from vectorops.embeddings.streams import Meter, decompress, metered, read_pieces, skip
from vectorops.errors import InputDataError

TEXT = b"id,embedding\n" + b"".join(b'%d,"[0.%d,1]"\n' % (i, i) for i in range(20_000))


def compress_zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


COMPRESSORS = pytest.mark.parametrize(
    ("kind", "compress"), [("gzip", gzip.compress), ("zstd", compress_zstd)]
)
Compress = Callable[[bytes], bytes]


def expand(data: bytes, size: int = 1000) -> bytes:
    return b"".join(decompress("a.csv", iter([data[i : i + size] for i in range(0, len(data), size)])))


@COMPRESSORS
@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_compressed_data_is_recognised_by_its_content(kind: str, compress: Compress, piece: int) -> None:
    assert expand(compress(TEXT), piece) == TEXT


@COMPRESSORS
def test_members_one_after_the_other_are_one_file(kind: str, compress: Compress) -> None:
    assert expand(compress(TEXT[:1000]) + compress(b"") + compress(TEXT[1000:])) == TEXT


@COMPRESSORS
@pytest.mark.parametrize("share", [0.2, 0.9, 0.9999])
def test_compressed_data_that_ends_too_early_is_an_error(kind: str, compress: Compress, share: float) -> None:
    whole = compress(TEXT)
    with pytest.raises(InputDataError, match=f"a.csv is cut short: its {kind} data ends before the end mark"):
        expand(whole[: int(len(whole) * share)])


@COMPRESSORS
def test_damaged_compressed_data_is_an_error(kind: str, compress: Compress) -> None:
    damaged = bytearray(compress(TEXT))
    damaged[len(damaged) // 2 : len(damaged) // 2 + 40] = bytes(40)
    with pytest.raises(InputDataError, match=f"a.csv is damaged {kind} data"):
        expand(bytes(damaged))


@pytest.mark.parametrize("data", [b"", b"i", b"id", b"id,embedding\n"])
def test_anything_else_passes_as_it_is(data: bytes) -> None:
    assert expand(data, 1) == data


def test_little_compressed_data_that_stands_for_much_comes_in_small_pieces() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    assert max(map(len, decompress("a.csv", iter([bomb])))) < 8 << 20


def test_the_meter_sees_the_bytes_as_they_are_stored() -> None:
    stored = gzip.compress(TEXT)
    meter = Meter()
    b"".join(decompress("a.csv", metered(read_pieces(io.BytesIO(stored)), meter)))
    assert meter.bytes_read == len(stored)
    assert meter.checksum == hashlib.sha256(stored).hexdigest()


@pytest.mark.parametrize("size", [0, 1, 3, 5, 6])
def test_skipping_leaves_the_rest(size: int) -> None:
    assert b"".join(skip([b"abc", b"", b"def"], size)) == b"abcdef"[size:]


def test_what_came_through_a_pipe_is_read_by_several_at_a_time() -> None:
    content = bytes(range(256)) * 1_000
    [piped] = find_sources(["-"], stdin=io.BytesIO())
    source = reopenable(piped, io.BytesIO(content[3:]), [content[:3]])
    assert source.size_bytes == len(content)
    with closing(cast(BinaryIO, source.open())) as one, closing(cast(BinaryIO, source.open())) as other:
        assert one.read(10) == content[:10]
        assert other.seek(-20, io.SEEK_END) == len(content) - 20
        assert other.read() == content[-20:]
        assert one.read() == content[10:]
