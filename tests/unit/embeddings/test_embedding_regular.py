"""Blocks whose lines are all alike: which dialects are read in one pass, and what is left to others."""

import numpy as np
import pytest

from tests.unit.embeddings.embedding_samples import layout
from vectorops.embeddings.regular import find_fields


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ("id,embedding", 'a,"[1,-0.5,1e-05]"\nbc,"[1,2,3]"\n'),
        ("id,embedding", '"a","[1,-0.5,1e-05]"\r\n"bc","[1,2,3]"\r\n'),
        ("id, embedding", 'a, "[1, -0.5, 1e-05]"\nbc, "[1, 2, 3]"'),
        ("embedding,id", '"{1,-0.5,1e-05}",a\n"{1,2,3}",bc\n'),
        ("id;embedding", "a;[1,-0.5,1e-05]\nbc;[1,2,3]\n"),
        ("id\tembedding", "a\t{1,-0.5,1e-05}\nbc\t{1,2,3}\n"),
        ("id,0,1,2", "a,1,-0.5,1e-05\nbc,1,2,3\n"),
        ("2,0,id,1", "1e-05,1,a,-0.5\n3,1,bc,2\n"),
        ("note;id;embedding;more", 'one two;a;"[1,-0.5,1e-05]";x\nthree;bc;"[1,2,3]";y\n'),
    ],
)
def test_the_usual_dialects_are_read_in_one_pass(header: str, data: str) -> None:
    how = layout(header)
    fields = find_fields(data.encode(), how, 3)
    assert fields is not None
    assert fields.texts(how.id_index).to_pylist() == ["a", "bc"]
    assert fields.vectors().tolist() == [[1, -0.5, float(np.float32(1e-05))], [1, 2, 3]]


@pytest.mark.parametrize(
    "data",
    [
        "",
        "\n",
        'a,"[1,2,3]"\n\nb,"[1,2,3]"\n',
        'a,"[1,2,3]"\nb,"[1,2]"\n',
        'a,"[1,2,3]"\r\nb,"[1,2,3]"\n',
        'a,"[1,2,3]"\nb,[1,2,3]\n',
        "a,[1,2,3]\nb,[1,2,3]\n",
        'a,"1,2,3"\nb,"1,2,3"\n',
        'a"b,"[1,2,3]"\n"c,[1,2,3]"\n',
        '"a,","[1,2,3]"\n',
        'a,"[1,2\n3]","[1,2,3]"\n',
        'a\0,"[1,2,3]"\n',
    ],
)
def test_a_block_with_anything_odd_is_left_to_the_others(data: str) -> None:
    assert find_fields(data.encode(), layout("id,embedding"), 3) is None
