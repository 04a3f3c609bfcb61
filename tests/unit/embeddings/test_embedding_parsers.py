"""The fast parser against the careful one: same rows, same numbers, or no answer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.embeddings.embedding_samples import block, layout, table
from vectorops.database.columns import Column
from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import Batch, SparseRows, Vectors
from vectorops.embeddings.careful import parse_carefully
from vectorops.embeddings.fast import parse_fast
from vectorops.embeddings.layout import Layout

TAME_NUMBERS = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-1000, 1000).map(str),
    st.sampled_from(["1e5", "1E-5", ".5", "5.", "+1", "-0", "-0.0", " 1", "1 ", "007", "1e-60", "16777217"]),
)
ODD_NUMBERS = st.sampled_from(
    [
        "",
        "\t2",
        "1\v",
        "1 2",
        *["1e39", "nan", "inf", "-inf", "Infinity", "x", "0x1", "1_0", "1e", "NULL", "true"],
    ]
)
UUID = "6f1c2a34-0000-4000-8000-0123456789ab"
TAME_IDS = st.one_of(st.integers(-5, 1 << 33).map(str), st.text("aÄ€😀 ", min_size=1, max_size=4))
ODD_IDS = st.sampled_from(
    [
        "",
        " ",
        " 7",
        "7 ",
        "\t7",
        "\0",
        "a" * 3000,
        "9" * 30,
        *["007", "+7", "0x1F", "1.0", "NULL", "\\N", "\ufeffa", "6f1c2a34"],
        UUID,
        UUID.upper(),
    ]
)
ODD_WRAPPERS = st.sampled_from(["[{}", "{}]", "{{{}]", " [{}] ", "{}", "[[{}]]", "[{}],", "[{}][1,2]", "[ ]"])
TABLES = st.sampled_from(
    [
        table(2),
        table(2, "integer"),
        table(2, "bigint"),
        table(2, "smallint"),
        table(2, "uuid"),
        table(2, id_max_length=3),
        table(2, vector_type="halfvec"),
        table(2, vector_type="bit"),
        table(2, vector_type="sparsevec"),
    ]
)
NOTES = {
    "text": ["", "x", ", ", " y", "é", "a\0b"],
    "integer": ["", "7", "+7", "2147483648", "1.0", " 7 "],
    "numeric": ["", "1.50", "1e2", ".5", "x"],
    "boolean": ["", "t", "No", "2"],
    "timestamp with time zone": ["", "2024-02-29 12:00+02", "2024-02-29", "2023-02-29", "noon"],
    "uuid": ["", UUID, UUID[1:]],
    "jsonb": ["", "{}", "[1, 2]", "{"],
}
BITS = ["01", "00", "11", "012", "1", "[0,1]", "[1,1]"]
SPARSE = [
    "{1:0.5,2:-1}/2",
    "{2:1e-3}/2",
    "{}/2",
    "{2:1,1:2}/2",
    "{1:0}/2",
    "{3:1}/2",
    "{1:1,1:2}/2",
    "{1:x}/2",
    "[0,7]",
]


def seldom(draw: st.DrawFn, usual: st.SearchStrategy[str], odd: st.SearchStrategy[str]) -> str:
    return draw(odd if draw(st.integers(0, 30)) == 7 else usual)


def vector_text(draw: st.DrawFn) -> str:
    size = 2 if draw(st.integers(0, 30)) else draw(st.integers(0, 3))
    separator = seldom(draw, st.sampled_from([",", ", "]), st.sampled_from([" ,", ";"]))
    wrapper = seldom(draw, st.sampled_from(["[{}]", "{{{}}}"]), ODD_WRAPPERS)
    return wrapper.format(separator.join(seldom(draw, TAME_NUMBERS, ODD_NUMBERS) for _ in range(size)))


def quoted(draw: st.DrawFn, text: str, delimiter: str) -> str:
    style = seldom(
        draw, st.sampled_from(["csv", "quoted"]), st.sampled_from(["bare", "unclosed", "trailing"])
    )
    must = delimiter in text or '"' in text or "\n" in text
    if style == "quoted" or (style == "csv" and must):
        return '"' + text.replace('"', '""') + '"'
    return {"unclosed": '"' + text, "trailing": f'"{text}"x'}.get(style, text)


@st.composite
def file_for_a_table(draw: st.DrawFn) -> tuple[bytes, Layout, VectorTable]:
    """A file whose vectors and notes are of the table's types, more or less."""
    target = draw(TABLES)
    kind = draw(st.sampled_from(list(NOTES)))
    target = replace(target, metadata=(Column("note", kind, is_nullable=draw(st.booleans())),))
    delimiter = draw(st.sampled_from([",", ";", "\t"]))
    columns = draw(st.permutations(["id", "embedding", "note"]))
    vectors = {"bit": BITS, "sparsevec": SPARSE}.get(target.vector_type, ["[1,2]", "[1, -2]", "{1,2}", "[1]"])
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        usual = slice(None) if draw(st.integers(0, 3)) == 0 else slice(0, 2)
        cells = {
            "id": draw(st.sampled_from(["1", "2", UUID])),
            "embedding": draw(st.sampled_from(vectors[usual])),
            "note": draw(st.sampled_from(NOTES[kind][usual])),
        }
        rows.append(delimiter.join(quoted(draw, cells[name], delimiter) for name in columns))
    return "\n".join(rows).encode(), layout(delimiter.join(columns)), target


@given(file_for_a_table())
@settings(max_examples=1000)
def test_both_parsers_agree_on_every_type_of_vector_and_of_other_columns(
    file: tuple[bytes, Layout, VectorTable],
) -> None:
    data, how, target = file
    fast = parse_fast(block(data), how, target)
    careful = parse_carefully(block(data), how, target)
    assert fast is None or (same(fast, careful.batch) and not careful.rejects)


@st.composite
def file_of_texts(draw: st.DrawFn) -> tuple[bytes, Layout]:
    delimiter = draw(st.sampled_from([",", ",", ";", "\t", "|"]))
    columns = draw(st.permutations(["id", "embedding", *draw(st.sampled_from([[], ["note"]]))]))
    line_end = seldom(draw, st.sampled_from(["\n", "\r\n"]), st.just("\r"))
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        note = seldom(draw, st.sampled_from(["", "x", ", "]), st.sampled_from(['a "b"', "a\nb"]))
        cells = {"id": seldom(draw, TAME_IDS, ODD_IDS), "embedding": vector_text(draw), "note": note}
        rows.append(delimiter.join(quoted(draw, cells[name], delimiter) for name in columns))
        rows.extend([seldom(draw, st.just(""), st.just("  "))] if draw(st.integers(0, 30)) == 7 else [])
    text = line_end.join(rows) + draw(st.sampled_from([line_end, line_end, ""]))
    return text.encode(), layout(delimiter.join(columns))


@st.composite
def file_of_columns(draw: st.DrawFn) -> tuple[bytes, Layout]:
    delimiter = draw(st.sampled_from([",", ";", "\t"]))
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        cells = [
            seldom(draw, TAME_IDS, ODD_IDS),
            *(seldom(draw, TAME_NUMBERS, ODD_NUMBERS) for _ in range(2)),
        ]
        rows.append(delimiter.join(quoted(draw, cell, delimiter) for cell in cells))
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    return (line_end.join(rows) + line_end).encode(), layout(delimiter.join(["id", "0", "1"]))


def bits(vectors: Vectors) -> list[list[int]]:
    if isinstance(vectors, SparseRows):
        return [array.tolist() for array in (vectors.counts, vectors.indices, vectors.values.view(np.uint32))]
    return [row.tolist() for row in np.ascontiguousarray(vectors).view(np.uint32)]


def same(left: Batch, right: Batch) -> bool:
    return (
        left.ids.equals(right.ids)
        and bits(left.vectors) == bits(right.vectors)
        and np.array_equal(left.lines, right.lines)
        and [array.to_pylist() for array in left.metadata] == [array.to_pylist() for array in right.metadata]
    )


@given(st.one_of(file_of_texts(), file_of_columns()), TABLES)
@settings(max_examples=1500)
def test_the_fast_parser_agrees_with_the_careful_one_or_stays_silent(
    file: tuple[bytes, Layout], target: VectorTable
) -> None:
    data, how = file
    fast = parse_fast(block(data), how, target)
    careful = parse_carefully(block(data), how, target)
    assert fast is None or (same(fast, careful.batch) and not careful.rejects)


@given(
    st.binary(max_size=60),
    st.sampled_from(["id,embedding", "embedding;id", "id\t0\t1", "id,note,embedding"]),
    TABLES,
)
@settings(max_examples=500)
def test_any_bytes_get_the_same_answer_from_both_parsers(
    data: bytes, header: str, target: VectorTable
) -> None:
    fast = parse_fast(block(data), layout(header), target)
    careful = parse_carefully(block(data), layout(header), target)
    assert fast is None or (same(fast, careful.batch) and not careful.rejects)


@pytest.mark.parametrize(
    ("target", "texts"),
    [
        (table(3, vector_type="bit"), ["010", "111"]),
        (table(3, vector_type="bit"), ["[0,1,0]", "[1,1,1]"]),
        (table(3, vector_type="sparsevec"), ["{1:0.5,3:-1}/3", "{2:1e-3}/3"]),
        (table(3, vector_type="sparsevec"), ["[0,1,0]", "[1,0,1]"]),
    ],
)
def test_usual_bits_and_sparse_vectors_take_the_fast_way(target: VectorTable, texts: list[str]) -> None:
    data = "".join(f'a,"{text}"\n' for text in texts)
    batch = parse_fast(block(data), layout("id,embedding"), target)
    assert batch is not None
    assert same(batch, parse_carefully(block(data), layout("id,embedding"), target).batch)


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ("id,embedding", 'a,"[1,-0.5,1e-05]"\nb,"[1,2,3]"\n'),
        ("id,embedding", '"a","[1,-0.5,1e-05]"\r\n"b","[1,2,3]"\r\n'),
        ("id,embedding", 'a,"[1, -0.5, 1e-05]"\nb,"[1, 2, 3]"'),
        ("id;embedding", "a;[1,-0.5,1e-05]\nb;[1,2,3]\n"),
        ("id\tembedding", "a\t{1,-0.5,1e-05}\nb\t{1,2,3}\n"),
        ("id,0,1,2", "a,1,-0.5,1e-05\nb,1,2,3\n"),
        ("2,0,id,1", "1e-05,1,a,-0.5\n3,1,b,2\n"),
        ("note,embedding,id", '"one, two","[1,-0.5,1e-05]",a\nthree,"[1,2,3]",b\n'),
    ],
)
def test_every_usual_dialect_takes_the_fast_way(header: str, data: str) -> None:
    batch = parse_fast(block(data), layout(header), table(3))
    assert batch is not None
    assert batch.ids.to_pylist() == ["a", "b"]
    assert isinstance(batch.vectors, np.ndarray)
    assert batch.vectors.tolist() == [[1, -0.5, float(np.float32(1e-05))], [1, 2, 3]]
    assert batch.lines.tolist() == [2, 3]
    assert same(batch, parse_carefully(block(data), layout(header), table(3)).batch)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('a,"[1,2]"', "the vector has 2 dimensions, column embedding of item_emb takes 3"),
        ('a,"[1,2,nan]"', "component 3 of the vector is nan; only finite numbers can be searched"),
        ('a,"[1,2,abc]"', "component 3 of the vector is 'abc', not a number"),
        ('a,"[1,,3]"', "component 2 of the vector is empty"),
        ('a,"[]"', "the vector is empty"),
        ("a,", "the vector is missing"),
        ('a,"1,2,3"', "the vector '1,2,3' is not of the form [1,2,3]"),
        ('a,"[1,2,3}"', "the vector '[1,2,3}' is not of the form [1,2,3]"),
        (',"[1,2,3]"', "the id is missing"),
        ('"  ","[1,2,3]"', "the id is missing"),
        ("a,[1,2,3]", "4 columns, where the header has 2; a vector with commas in it must be quoted"),
        ("a", "1 column, where the header has 2"),
        ('a,"[1,2,3]"x', "not valid CSV (',' expected after '\"')"),
        ('a,"[1,2,3]', "not valid CSV (unexpected end of data)"),
        ('a\0,"[1,2,3]"', "the id holds a NUL byte"),
        ('\\N\udcff,"[1,2,3]"', "the id '\\\\N\\udcff' is not valid UTF-8"),
        (f'{"i" * 2693},"[1,2,3]"', f"the id '{'i' * 40}…' has 2693 bytes; an index takes up to 2692"),
    ],
)
def test_a_bad_row_is_rejected_with_its_line_and_reason_and_the_others_stay(row: str, reason: str) -> None:
    data = f'x,"[1,2,3]"\n\n{row}\ny,"[4,5,6]"\n'.encode("utf-8", "surrogateescape")
    if row.endswith("[1,2,3]") and '"' in row:  # An open quote takes in the lines after it, at first.
        reason = "not valid CSV (',' expected after '\"')"
    parsed = parse_carefully(block(data), layout("id,embedding"), table(3))
    assert parsed.batch.ids.to_pylist() == ["x", "y"]
    assert parsed.batch.lines.tolist() == [2, 5]
    [reject] = parsed.rejects
    assert (reject.source, reject.line, reject.reason) == ("a.csv", 4, reason)
    assert reject.text == row


def test_a_quoted_line_end_belongs_to_its_record() -> None:
    data = 'a,"two\nlines","[1,2,3]"\nb,"","[4,5,6]"\n'
    parsed = parse_carefully(block(data), layout("id,note,embedding"), table(3))
    assert parsed.batch.ids.to_pylist() == ["a", "b"]
    assert parsed.batch.lines.tolist() == [2, 4]
    assert not parsed.rejects
