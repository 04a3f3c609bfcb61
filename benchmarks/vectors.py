"""Generated vectors that lie as those of text do: in clusters, and in few of their dimensions."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from vectorops.database.connection import register_vector_types
from vectorops.database.search_options import SearchOptions
from vectorops.database.search_statement import FirstPass
from vectorops.database.searcher import Searcher
from vectorops.database.tables import vector_table

LATENT = 64
CLUSTERS = 200
CHUNK = 5_000


def parser_of(doc: str | None, *, queries: int, runs: int) -> argparse.ArgumentParser:
    """Return the options of a benchmark that searches, with its defaults."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--queries", type=int, default=queries)
    parser.add_argument("--runs", type=int, default=runs, help="the medians of so many runs are compared")
    parser.add_argument("--folder", type=Path, help="where there is room for the database")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    return parser


def clustered_vectors(rows: int, dimension: int, seed: int = 1) -> NDArray[np.float32]:
    """Return unit vectors, float32 of shape (rows, dimension): clusters in a latent space, and noise."""
    rng = np.random.default_rng(seed)
    world = np.random.default_rng(0)  # Queries of another seed come from the same clusters.
    centres = world.standard_normal((CLUSTERS, LATENT), dtype=np.float32)
    out_of_latent = world.standard_normal((LATENT, dimension), dtype=np.float32) / np.sqrt(LATENT)
    vectors = np.empty((rows, dimension), dtype=np.float32)
    for start in range(0, rows, CHUNK):
        part = vectors[start : start + CHUNK]
        latent = centres[rng.integers(len(centres), size=len(part))]
        latent += rng.standard_normal(latent.shape, dtype=np.float32)
        part[:] = latent @ out_of_latent + 0.6 * rng.standard_normal(part.shape, dtype=np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


def fill_table(connection: psycopg.Connection[Any], name: str, vectors: NDArray[np.float32]) -> None:
    """Create table `name` (id int, embedding vector) with `vectors` and without an index."""
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    register_vector_types(connection)
    dimension = sql.Literal(vectors.shape[1])
    table = sql.Identifier(name)
    connection.execute(
        sql.SQL("CREATE TABLE {} (id int PRIMARY KEY, embedding vector({}))").format(table, dimension)
    )
    copy = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(table)
    with connection.cursor().copy(copy) as stream:
        stream.set_types(["int4", "vector"])
        for number, vector in enumerate(vectors):
            stream.write_row((number, vector))
    connection.execute(sql.SQL("VACUUM ANALYZE {}").format(table))


def true_neighbours(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], k: int = 10
) -> list[set[int]]:
    """Return the row numbers of the `k` nearest unit vectors to each query, by cosine."""
    return [set(np.argpartition(-(vectors @ query), k)[:k].tolist()) for query in queries]


def recall(
    connection: psycopg.Connection[Any],
    through: FirstPass | None,
    queries: NDArray[np.float32],
    truth: list[set[int]],
    ef_search: int | None = 40,
) -> float:
    """Return the share of the true neighbours that searches of table "items" find."""
    options = SearchOptions("cosine", ef_search, through)
    results = Searcher(connection, vector_table(connection, "items"), options).search_many(queries, k=10)
    pairs = zip(results, truth, strict=True)
    hits = sum(len({one.id for one in result.neighbours} & true) for result, true in pairs)
    return hits / sum(map(len, truth))
