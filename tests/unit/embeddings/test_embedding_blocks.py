"""Cutting files into blocks of whole records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectorops.embeddings import blocks
from vectorops.embeddings.blocks import cut_blocks
from vectorops.errors import InputDataError

ROWS = st.lists(st.sampled_from(['a,"[1,2]"\n', 'b,"x\ny",3\n', "\n", 'c,5" disk\n', "ä,1\r\n"]), max_size=12)


@given(ROWS, st.integers(1, 9), st.integers(1, 40))
def test_blocks_hold_every_byte_once_and_know_their_lines(
    rows: list[str], piece: int, block_bytes: int
) -> None:
    data = "".join(rows).encode()
    pieces = [data[start : start + piece] for start in range(0, len(data), piece)]
    cut = list(cut_blocks("a.csv", pieces, 2, block_bytes=block_bytes))
    assert b"".join(block.data for block in cut) == data
    line = 2
    for block in cut:
        assert block.first_line == line
        line += block.data.count(b"\n")
    assert all(block.data.endswith(b"\n") for block in cut[:-1])


@given(st.lists(st.sampled_from(['a,"[1,2]"\n', 'b,"x\ny",3\n']), min_size=1), st.integers(4, 40))
def test_a_block_ends_where_a_record_ends(rows: list[str], block_bytes: int) -> None:
    data = "".join(rows).encode()
    for block in cut_blocks(
        "a.csv", [data[i : i + 5] for i in range(0, len(data), 5)], 2, block_bytes=block_bytes
    ):
        assert block.data.count(b'"') % 2 == 0


def test_a_quote_too_many_does_not_hold_up_what_follows() -> None:
    data = b'a,5" disk\n' + b"b,1\n" * 1000
    cut = list(cut_blocks("a.csv", [data[i : i + 100] for i in range(0, len(data), 100)], 2, block_bytes=100))
    assert max(len(block.data) for block in cut) <= 1000


def test_a_line_without_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MAX_RECORD_BYTES", 1 << 20)
    endless = (b"x" * (1 << 16) for _ in range(1 << 30))
    with pytest.raises(InputDataError, match="has a line of more than 1 MiB"):
        list(cut_blocks("a.csv", endless, 2, block_bytes=1 << 16))
