"""Parsing blocks side by side, in order."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.unit.embeddings.embedding_samples import block, layout, table
from vectorops.embeddings.reader import map_in_order, parse_block


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_for_small(number: int) -> int:
        time.sleep(0.02 / (number + 1))
        return number

    assert list(map_in_order(slow_for_small, range(30), workers=4)) == list(range(30))


def test_items_are_taken_only_a_few_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1_000):
            taken.append(number)
            yield number

    with closing(map_in_order(abs, items(), workers=2)) as results:
        assert next(results) == 0
        assert len(taken) <= 5


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_comes_out_and_no_thread_stays(workers: int) -> None:
    def fail_at_five(number: int) -> int:
        if number == 5:
            raise ValueError("five")
        return number

    results = []
    with pytest.raises(ValueError, match="five"):
        for result in map_in_order(fail_at_five, range(1_000), workers=workers):
            results.append(result)
    assert results == [0, 1, 2, 3, 4]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("parse")]


def test_one_bad_row_leaves_the_rest_of_its_block() -> None:
    parsed = parse_block(block('a,"[1,2,3]"\nb,"[1,2]"\nc,"[4,5,6]"\n'), layout("id,embedding"), table(3))
    assert parsed.batch.ids.to_pylist() == ["a", "c"]
    assert [reject.line for reject in parsed.rejects] == [3]
