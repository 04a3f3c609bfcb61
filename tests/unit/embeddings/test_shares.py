"""Sharing out files among streams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectorops.embeddings.shares import share_out


@pytest.mark.parametrize(
    ("sizes", "streams", "shares"),
    [
        ([10], 4, [[0]]),
        ([5, 5, 5], 3, [[0], [1], [2]]),
        ([9, 1, 1, 1], 2, [[0], [1, 2, 3]]),
        ([1, 2, 3, 4], 1, [[0, 1, 2, 3]]),
        ([0, 0], 2, [[0], [1]]),
    ],
)
def test_files_go_to_the_stream_that_has_least(
    sizes: list[int], streams: int, shares: list[list[int]]
) -> None:
    assert share_out(sizes, streams) == shares


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=200), st.integers(1, 50))
def test_every_file_is_read_once_and_no_stream_has_much_more_than_it_must(
    sizes: list[int], streams: int
) -> None:
    shares = share_out(sizes, streams)
    assert sorted(file for share in shares for file in share) == list(range(len(sizes)))
    assert len(shares) == min(streams, len(sizes))
    least_possible = max(max(sizes), sum(sizes) / len(shares))
    largest = max(sum(sizes[file] for file in share) for share in shares)
    assert all(shares) and largest < 2 * least_possible
