"""Tables, layouts and blocks for the tests of this folder."""

from vectorops.database.metrics import VectorType
from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import Block
from vectorops.embeddings.layout import Layout, detect_layout


def table(
    dimension: int = 3,
    id_type: str = "character varying",
    *,
    id_max_length: int | None = None,
    vector_type: VectorType = "vector",
) -> VectorTable:
    return VectorTable(
        "public", "item_emb", "id", id_type, id_max_length, "embedding", vector_type, dimension
    )


def layout(header: str) -> Layout:
    return detect_layout("a.csv", header.encode() + b"\n", ["id"], ["embedding"])


def block(text: str | bytes, first_line: int = 2) -> Block:
    return Block("a.csv", first_line, text.encode() if isinstance(text, str) else text)
