"""JSON lines: the fast and the careful way give the same rows, and a bad line its reason."""

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.embeddings.embedding_samples import block, table
from tests.unit.embeddings.test_embedding_parsers import same
from vectorops.database.columns import Column
from vectorops.database.tables import VectorTable
from vectorops.embeddings.json_file import JsonFile, open_json, parse_carefully, parse_fast
from vectorops.embeddings.sources import find_sources

NUMBERS = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["1", "-0", "0.5e1", "16777217", "1e39", "NaN", "null", '"1"', "+1", ".5", "01", "[]"]),
)
IDS = st.sampled_from(
    ['"a"', '"a"', '"äö"', '"\\u00e9"', '"\\ud800"', '"a\\u0000"', "5", "-0", "1.5", "null", '""']
)
NOTES = st.sampled_from(['"x"', "null", "3", "true", '""', '"\\n"', "{}", "1.50"])
METADATA = (Column("note", "text"), Column("n", "integer"))


@st.composite
def lines(draw: st.DrawFn) -> str:
    found = []
    for _ in range(draw(st.integers(1, 3))):
        vector = ",".join(draw(NUMBERS) for _ in range(draw(st.sampled_from([2, 2, 2, 1]))))
        n = draw(st.sampled_from(["1", "null", "2147483648", "1.0", '"7"']))
        parts = [f'"id": {draw(IDS)}', f'"embedding": [{vector}]', f'"note": {draw(NOTES)}', f'"n": {n}']
        found.append(
            "{" + ", ".join(draw(st.permutations(parts))[: draw(st.sampled_from([4, 4, 4, 3]))]) + "}"
        )
    return draw(st.sampled_from(["\n", "\n", "\r\n", "\n\n"])).join(found)


def opened(text: str) -> JsonFile:
    sources = find_sources(["-"], stdin=io.BytesIO(text.encode()))
    return open_json(sources[0], ["id"], ["embedding"])


FILES = [
    opened('{"id": "a", "embedding": [1, 2], "note": "x", "n": 1}'),
    opened('{"id": 5, "embedding": [1, 2], "note": "x", "n": 1}'),
]


@given(lines(), st.sampled_from([*FILES]), st.sampled_from(["character varying", "integer"]))
@settings(max_examples=600)
def test_both_ways_give_the_same_rows(text: str, file: JsonFile, id_type: str) -> None:
    target = with_metadata(table(2, id_type))
    careful = parse_carefully(block(text, 1), file.columns, target)
    fast = parse_fast(block(text, 1), file, target)
    assert fast is None or (same(fast, careful.batch) and not careful.rejects)


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "a", "embedding": [1, 2], "more": Inf}',
        '{"id": "a", "embedding": [1, 2], "more": [0, -Inf ]}',
        '\ufeff{"id": "a", "embedding": [1, 2]}',
    ],
)
def test_what_only_one_reader_takes_for_json_is_refused_by_both_ways(text: str) -> None:
    assert parse_fast(block(text, 1), FILES[0], table(2)) is None
    assert parse_carefully(block(text, 1), FILES[0].columns, table(2)).rejects


def test_words_that_begin_as_infinity_take_the_fast_way() -> None:
    text = '{"id": "Info, a", "embedding": [1, 2], "note": "Inf", "more": Infinity}'
    fast = parse_fast(block(text, 1), FILES[0], table(2))
    assert fast is not None
    assert same(fast, parse_carefully(block(text, 1), FILES[0].columns, table(2)).batch)


def with_metadata(target: VectorTable) -> VectorTable:
    return VectorTable(**{**vars(target), "metadata": METADATA})


def test_a_usual_file_takes_the_fast_way() -> None:
    rows = [{"id": f"r{n}", "embedding": [n / 3, 0.1], "note": None, "n": n, "more": [1]} for n in range(5)]
    text = "\n".join(map(json.dumps, rows))
    batch = parse_fast(block(text, 1), opened(text), with_metadata(table(2)))
    assert batch is not None
    assert isinstance(batch.vectors, np.ndarray)
    assert batch.vectors.tolist() == [[float(np.float32(n / 3)), float(np.float32(0.1))] for n in range(5)]
    assert batch.metadata[1].to_pylist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not valid JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"),
        ("[1]", "not a JSON object"),
        ('{"embedding": [1, 2]}', "the id is missing"),
        ('{"id": true, "embedding": [1, 2]}', "the id is neither a string nor a number"),
        ('{"id": "a"}', "the vector is missing"),
        ('{"id": "a", "embedding": 5}', "the vector is no list"),
        ('{"id": "a", "embedding": []}', "the vector is empty"),
        ('{"id": "a", "embedding": [1, null]}', "component 2 of the vector is empty"),
        ('{"id": "a", "embedding": [1, "2"]}', "component 2 of the vector is '2', not a number"),
        (
            '{"id": "a", "embedding": [1, NaN]}',
            "component 2 of the vector is NaN; only finite numbers can be searched",
        ),
    ],
)
def test_a_bad_line_is_rejected_with_its_reason(line: str, reason: str) -> None:
    good = '{"id": "x", "embedding": [1, 2]}'
    parsed = opened(good).parse(block(f"{good}\n{line}\n{good}", 1), table(2))
    [reject] = parsed.rejects
    assert (reject.line, reject.reason, reject.text) == (2, reason, line)
    assert parsed.batch.lines.tolist() == [1, 3]


def test_json_columns_keep_numbers_as_they_are_written() -> None:
    target: Any = VectorTable(**{**vars(table(2)), "metadata": (Column("more", "jsonb"),)})
    text = '{"id": "x", "embedding": [1, 2], "more": {"a": [1.50, 1e400, "é", null, true]}}'
    parsed = opened(text).parse(block(text, 1), target)
    assert parsed.batch.metadata[0].to_pylist() == ['{"a":[1.50,1e400,"\\u00e9",null,true]}']
