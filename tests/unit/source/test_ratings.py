from pathlib import Path

import pytest

from vectorops.errors import InputDataError
from vectorops.source import read_ratings
from vectorops.source.ratings import derive_ratings


def test_ratings_are_read_by_column_name(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(
        "productRating,customerNumber,productCode,note\r\n5,103,S10_1678,x\r\n", encoding="utf-8-sig"
    )
    assert read_ratings(path) == [(103, "S10_1678", 5)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no column customerNumber, productCode, productRating"),
        ("id,embedding\n1,x\n", "has no column customerNumber"),
        ("customerNumber,productCode,productRating\n103,S1,5\n104,S1,good\n", "line 3 of .* 104,S1,good"),
        ("customerNumber,productCode,productRating\n103\n", "line 2 of .* is no rating"),
    ],
)
def test_what_is_wrong_with_ratings_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputDataError, match=reason):
        read_ratings(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match="No such file"):
        read_ratings(tmp_path / "ratings.csv")


def test_an_order_line_without_its_order_is_an_error() -> None:
    with pytest.raises(InputDataError, match="ordered in order 2, which is not there"):
        derive_ratings([(1, 103)], [(2, "S1", 4)])
