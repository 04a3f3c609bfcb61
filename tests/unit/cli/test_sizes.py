import pytest

from vectorops.cli.sizes import parse_size, size_text
from vectorops.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"), [("512MB", 512 * 2**20), (" 1.5 GiB ", 3 * 2**29), ("64kb", 2**16), ("2gb", 2**31)]
)
def test_sizes_are_read_as_postgresql_reads_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "512", "GB", "-1GB", "1TB", "1.GB", "1e3MB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        parse_size(text)


def test_sizes_are_written_in_the_largest_unit_below_them() -> None:
    sizes = (0, 1_023, 2**20, 3 * 2**29, 5 * 2**40)
    assert [size_text(size) for size in sizes] == ["0 B", "1023 B", "1 MiB", "2 GiB", "5.0 TiB"]
