"""Embeddings of real products and customers load as they are and come back bit for bit."""

import csv
from pathlib import Path

import pytest

from tests.integration.embeddings.load_samples import Loader, counts

FILES = [
    ("item_embeddings.csv", "item_emb", 109),
    ("user_embeddings.csv", "user_emb", 98),
    ("product_text_embeddings_384.csv", "product_text", 110),
]


@pytest.mark.parametrize(("name", "table", "rows"), FILES)
def test_a_real_file_loads_and_comes_back_bit_for_bit(
    loader: Loader, real_data: Path, name: str, table: str, rows: int
) -> None:
    report = loader.load_files(str(real_data / name), table=table, create=True)
    assert counts(report) == {"inserted": rows}
    assert report.created == (table == "product_text")
    assert counts(loader.load_files(str(real_data / name), table=table)) == {"unchanged": rows}
    with (real_data / name).open(newline="") as file:
        given = {row["id"]: row["embedding"] for row in csv.DictReader(file)}
    stored = loader.connection.execute(f"SELECT id::text, vector_send(embedding) FROM {table}").fetchall()
    read_by_postgres = loader.connection.execute(
        "SELECT id, vector_send(vector::vector) FROM unnest(%s::text[], %s::text[]) AS given (id, vector)",
        (list(given), list(given.values())),
    ).fetchall()
    assert dict(stored) == dict(read_by_postgres)
