"""Vector tables for the tests of this folder."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.integration.database.commands import Commands
from tests.integration.database.vector_samples import FilledTable, Vectors
from vectorops.database.connection import DatabaseAddress, connect, register_vector_types
from vectorops.database.indexes import vector_indexes
from vectorops.database.tables import VectorTable, create_vector_table

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def module_database(postgres_server: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """Address of a database that the tests of a module share, with the vector extension."""
    address = replace(postgres_server, name=f"test_{secrets.token_hex(6)}")
    with connect(postgres_server) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(address.name)))
    with connect(address) as opened:
        opened.execute("CREATE EXTENSION vector")
    yield address
    with connect(postgres_server) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(address.name)))


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
        indexes = vector_indexes(vector_database, table)
        for index in indexes:  # building an index afterwards is quicker
            identifier = sql.Identifier(table.schema, index.name)
            vector_database.execute(sql.SQL("DROP INDEX {}").format(identifier))
        copy = sql.SQL("COPY {} FROM STDIN").format(table.qualified)
        with vector_database.cursor().copy(copy) as stream:
            for key, vector in zip(ids or range(len(vectors)), vectors, strict=True):
                stream.write_row((key, f"[{','.join(map(repr, vector.tolist()))}]"))
        for index in indexes:
            vector_database.execute(index.definition.encode())
        vector_database.execute(sql.SQL("ANALYZE {}").format(table.qualified))
        return table

    return make


@pytest.fixture
def commands(database_address: DatabaseAddress, capsys: pytest.CaptureFixture[str]) -> Commands:
    """The command line, connected to the test's own database."""
    return Commands(database_address, capsys)
