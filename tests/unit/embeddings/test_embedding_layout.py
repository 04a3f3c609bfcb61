"""Which column is what, from the header."""

import pytest

from vectorops.embeddings.layout import Layout, detect_layout
from vectorops.errors import InputDataError


def detect(head: str | bytes, *, id_name: str = "id", vector_name: str = "embedding") -> Layout:
    data = head.encode() if isinstance(head, str) else head
    return detect_layout("a.csv", data, [id_name], [vector_name])


@pytest.mark.parametrize(
    ("header", "delimiter", "id_index", "vector_indices", "ignored"),
    [
        ("id,embedding", ",", 0, (1,), ()),
        ("id;embedding", ";", 0, (1,), ()),
        ("id\tembedding", "\t", 0, (1,), ()),
        ("id|embedding", "|", 0, (1,), ()),
        ('"id","embedding"', ",", 0, (1,), ()),
        (" ID , Embedding ", ",", 0, (1,), ()),
        ("name,embedding,id,price", ",", 2, (1,), ("name", "price")),
        ("id,0,1,2", ",", 0, (1, 2, 3), ()),
        ("id,1,2,3", ",", 0, (1, 2, 3), ()),
        ("id,10,9,8,7,6,5,4,3,2,1,0", ",", 0, tuple(range(11, 0, -1)), ()),
        ("id,dim_0,dim_1,price", ",", 0, (1, 2), ("price",)),
        ("id,x01,x02,y1,y3", ",", 0, (1, 2), ("y1", "y3")),
        ("id,embedding,0,1", ",", 0, (1,), ("0", "1")),
    ],
)
def test_the_header_says_which_column_is_what(
    header: str, delimiter: str, id_index: int, vector_indices: tuple[int, ...], ignored: tuple[str, ...]
) -> None:
    layout = detect(header + "\n")
    assert (layout.delimiter, layout.id_index, layout.vector_indices) == (delimiter, id_index, vector_indices)
    assert layout.others == ignored


def test_another_name_for_a_column_counts_alone() -> None:
    layout = detect("id,embedding,sku,minilm\n", id_name="sku", vector_name="minilm")
    assert (layout.id_index, layout.vector_indices, layout.others) == (2, (3,), ("id", "embedding"))


@pytest.mark.parametrize(
    ("head", "header_bytes", "first_line"),
    [
        (b"id,embedding\na", 13, 2),
        (b"id,embedding\r\na", 14, 2),
        (b"\xef\xbb\xbfid,embedding\na", 16, 2),
        (b"\n\nid,embedding\na", 15, 4),
        (b"id,embedding", 12, 1),
    ],
)
def test_data_begins_after_the_header(head: bytes, header_bytes: int, first_line: int) -> None:
    layout = detect(head)
    assert (layout.header_bytes, layout.first_line) == (header_bytes, first_line)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"", "a.csv is empty"),
        (b"\xef\xbb\xbf\n", "a.csv is empty"),
        (b"\x80\x04\x95", "a.csv is of no format that can be loaded: it seems to be a Python pickle"),
        (b"\xff\xfei\0d\0", "a.csv is of no format that can be loaded: it seems to be UTF-16 text"),
        (b"\x7fELF\0\0", "a.csv is of no format that can be loaded: it seems to be binary data"),
        (b"caf\xe9,embedding\n", "a.csv is not UTF-8"),
        (b"id,embedding\ra,1\r", "a.csv ends its lines with bare carriage returns"),
        (b'S10,"[1,2]"\n', "a.csv has no column 'id': its first line is"),
        (
            b"id,name\n",
            "a.csv has no column 'embedding', and no columns 0, 1, 2, … either: its columns are 'id', 'name'",
        ),
        (b"id,0,2\n", "a.csv has no column 'embedding'"),
        (b"id,2,3\n", "a.csv has no column 'embedding'"),
        (b"id,embedding,ID\n", "a.csv has 2 columns called 'id'"),
    ],
)
def test_a_file_without_a_usable_header_is_refused(head: bytes, message: str) -> None:
    with pytest.raises(InputDataError) as caught:
        detect(head)
    assert str(caught.value).startswith(message)
