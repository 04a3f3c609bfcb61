"""Vector tables for the tests of this folder."""

from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from psycopg import sql
from vector_samples import FilledTable, Vectors

from vectorops.database.connection import register_vector_types
from vectorops.database.tables import VectorTable, create_vector_table

Connection = psycopg.Connection[Any]


@pytest.fixture
def vector_database(connection: Connection) -> Connection:
    """Connection to a database with the vector extension and nothing else."""
    connection.execute("CREATE EXTENSION vector")
    register_vector_types(connection)
    return connection


@pytest.fixture
def fill(vector_database: Connection) -> FilledTable:
    """Function that makes a table of ids and vectors and analyses it."""

    def make(
        vectors: Vectors, ids: Sequence[Any] | None = None, *, name: str = "items", **options: Any
    ) -> VectorTable:
        id_type = "integer" if ids is None or isinstance(ids[0], int) else "text"
        table = create_vector_table(
            vector_database, name, **{"id_type": id_type, "dimension": vectors.shape[1], **options}
        )
        copy = sql.SQL("COPY {} FROM STDIN").format(table.qualified)
        with vector_database.cursor().copy(copy) as stream:
            for key, vector in zip(ids or range(len(vectors)), vectors, strict=True):
                stream.write_row((key, f"[{','.join(map(repr, vector.tolist()))}]"))
        vector_database.execute(sql.SQL("ANALYZE {}").format(table.qualified))
        return table

    return make
