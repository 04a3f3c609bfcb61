"""Ids by the type of their column: one at a time and many at once."""

from uuid import UUID

import pyarrow as pa
import pytest

from tests.unit.embeddings.embedding_samples import table
from vectorops.embeddings.batch import BadRowError
from vectorops.embeddings.ids import id_arrow_type, parse_id, parse_ids
from vectorops.errors import UsageError

UUID_TEXT = "6f1c2a34-0000-4000-8000-0123456789AB"


@pytest.mark.parametrize(
    ("id_type", "text", "value"),
    [
        ("text", "S10_1678", "S10_1678"),
        ("character varying", " 7 ", " 7 "),
        ("integer", "103", 103),
        ("integer", " -5\t", -5),
        ("integer", "+007", 7),
        ("integer", "0" * 5000 + "1", 1),
        ("smallint", "-32768", -32768),
        ("bigint", "9223372036854775807", 9223372036854775807),
        ("uuid", UUID_TEXT, UUID(UUID_TEXT).bytes),
    ],
)
def test_an_id_becomes_a_value_of_its_column(id_type: str, text: str, value: str | int | bytes) -> None:
    assert parse_id(text, table(id_type=id_type)) == value


@pytest.mark.parametrize(
    ("id_type", "text", "reason"),
    [
        ("integer", "abc", "'abc' is not an integer; column id of item_emb is integer"),
        ("integer", "103.0", "'103.0' is not an integer; column id of item_emb is integer"),
        ("integer", "1_000", "'1_000' is not an integer"),
        ("integer", "0x1F", "'0x1F' is not an integer"),
        ("integer", "٣", "'٣' is not an integer"),
        ("integer", "2147483648", "'2147483648' is out of range; column id of item_emb is integer"),
        ("smallint", "-32769", "'-32769' is out of range; column id of item_emb is smallint"),
        ("bigint", "9" * 5000, f"'{'9' * 40}…' is out of range; column id of item_emb is bigint"),
        ("uuid", "6f1c2a34", "'6f1c2a34' is not a UUID; column id of item_emb is uuid"),
        ("text", "", "the id is missing"),
        ("integer", " ", "the id is missing"),
        ("text", "a\0b", "the id holds a NUL byte"),
        ("text", "a\udcff", "the id 'a\\udcff' is not valid UTF-8"),
    ],
)
def test_an_id_that_its_column_cannot_take_is_refused(id_type: str, text: str, reason: str) -> None:
    with pytest.raises(BadRowError) as caught:
        parse_id(text, table(id_type=id_type))
    assert str(caught.value).startswith(reason)
    if text.isprintable():
        assert parse_ids(pa.array(["1", text]), table(id_type=id_type)) is None


def test_a_length_counts_characters() -> None:
    target = table(id_max_length=3)
    assert parse_id("äöü", target) == "äöü"
    assert parse_ids(pa.array(["äöü"]), target) is not None
    assert parse_ids(pa.array(["a", "äöüß"]), target) is None
    with pytest.raises(
        BadRowError, match=r"the id 'äöüß' has 4 characters; column id of item_emb is .*\(3\)"
    ):
        parse_id("äöüß", target)


def test_many_ids_at_once_are_the_same_values() -> None:
    integers = parse_ids(pa.array(["103", "-5"]), table(id_type="integer"))
    assert integers is not None and integers.to_pylist() == [103, -5]
    uuids = parse_ids(pa.array([UUID_TEXT]), table(id_type="uuid"))
    assert uuids is not None and uuids.to_pylist() == [UUID(UUID_TEXT).bytes]


def test_a_column_of_another_type_is_refused() -> None:
    with pytest.raises(UsageError, match="its column id is numeric"):
        id_arrow_type(table(id_type="numeric"))


@pytest.mark.parametrize("id_type", ["character varying", "integer", "uuid"])
def test_no_ids_at_all_are_plainly_good(id_type: str) -> None:
    target = table(id_type=id_type)
    ids = parse_ids(pa.array([], pa.string()), target)
    assert ids is not None
    assert (len(ids), ids.type) == (0, id_arrow_type(target))
