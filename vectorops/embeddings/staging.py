"""The writer: binary COPY into an empty table, or into a staging table that is merged in one statement."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from vectorops.database.tables import VectorTable
from vectorops.embeddings.encoder import HEADER, TRAILER

_MERGE_ATTEMPTS = 3

# The staging table is this connection's own and goes with the transaction. Its rows stay in one piece up to
# the size of a page: moving longer vectors out of line, only to read them back, would take time.
_CREATE = sql.SQL("""
CREATE {kind} WITH (toast_tuple_target = 8160) {end} AS
SELECT {id} AS id, {vector} AS embedding{as_staged}, 0::int AS source, 0::bigint AS line
FROM {table} WITH NO DATA
""")
_COPY_STAGED = sql.SQL(
    "COPY vectorops_staged (id, embedding{staged}, source, line) FROM STDIN (FORMAT BINARY)"
)
_COPY = sql.SQL("COPY {table} ({id}, {vector}{metadata}) FROM STDIN (FORMAT BINARY)")
_TAKES_COPY = sql.SQL("""
SELECT NOT row_security_active(%s::regclass) AND ({may_have_rows} OR NOT EXISTS (SELECT FROM {table}))
""")
_JOIN_MEMORY = """
SELECT set_config('work_mem', '64MB', true) WHERE pg_size_bytes(current_setting('work_mem')) < 64 << 20
"""
_HAS_DUPLICATES = "SELECT EXISTS (SELECT FROM vectorops_staged GROUP BY id HAVING count(*) > 1)"
_NUMBERED = sql.SQL("""
SELECT ctid AS place, row_number() OVER same_id AS number,
    first_value(source) OVER same_id AS first_source, first_value(line) OVER same_id AS first_line
FROM vectorops_staged WINDOW same_id AS (PARTITION BY id ORDER BY source, line)
""")
_DUPLICATES = sql.SQL("""
SELECT s.source, s.line, n.first_source, n.first_line, s.id::text AS id, s.embedding::text AS vector
FROM ({}) AS n JOIN vectorops_staged AS s ON s.ctid = n.place
WHERE n.number > 1 ORDER BY s.source, s.line
""").format(_NUMBERED)
_DELETE_DUPLICATES = sql.SQL("""
DELETE FROM vectorops_staged WHERE ctid IN (SELECT place FROM ({}) AS n WHERE number > 1)
""").format(_NUMBERED)
# Compared as bytes (PostgreSQL manual, "Composite Type Comparison"): for "=", 0 and -0 are the same vector.
_DIFFERS = sql.SQL("ROW(t.{vector}{current})::record *<> ROW(s.embedding{values})::record")
# The system's value is overridden, as COPY does it: an id may be GENERATED ALWAYS AS IDENTITY.
_MERGE = sql.SQL("""
WITH done AS (
    MERGE INTO {table} AS t USING vectorops_staged AS s ON t.{id} = s.id
    WHEN MATCHED AND {differs} THEN UPDATE SET {vector} = s.embedding{assignments}
    WHEN NOT MATCHED THEN INSERT ({id}, {vector}{metadata}) OVERRIDING SYSTEM VALUE
        VALUES (s.id, s.embedding{values})
    RETURNING merge_action() AS action
)
SELECT count(*) FILTER (WHERE action = 'INSERT') AS inserted,
    count(*) FILTER (WHERE action = 'UPDATE') AS updated
FROM done
""")
_INSERT = sql.SQL("""
WITH done AS (
    INSERT INTO {table} ({id}, {vector}{metadata}) OVERRIDING SYSTEM VALUE
    SELECT id, embedding{staged} FROM vectorops_staged
    RETURNING 1
)
SELECT count(*) AS inserted, 0 AS updated FROM done
""")
_PRESENT = sql.SQL("""
SELECT s.source, s.line, s.source AS first_source, s.line AS first_line, s.id::text AS id,
    s.embedding::text AS vector
FROM vectorops_staged AS s WHERE EXISTS (SELECT FROM {table} AS t WHERE t.{id} = s.id)
ORDER BY s.source, s.line
""")
_DELETE_PRESENT = sql.SQL("""
DELETE FROM vectorops_staged AS s WHERE EXISTS (SELECT FROM {table} AS t WHERE t.{id} = s.id)
""")
# All columns of the rows that stay, each with the vector that is staged for it, then the rows that are new.
_COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""
_COPY_MERGED = sql.SQL("""
INSERT INTO {new} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {merged} FROM {table} AS t LEFT JOIN vectorops_staged AS s ON t.{id} = s.id
""")
_STAGED = sql.SQL("CASE WHEN s.id IS NULL THEN t.{} ELSE s.{} END")
_INSERT_NEW = sql.SQL("""
INSERT INTO {new} ({id}, {vector}{metadata}) OVERRIDING SYSTEM VALUE
SELECT s.id, s.embedding{values} FROM vectorops_staged AS s
WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE t.{id} = s.id)
""")
_INSERT_SAMPLE = sql.SQL("""
INSERT INTO {new} ({id}, {vector}{metadata}) OVERRIDING SYSTEM VALUE
SELECT id, embedding{staged} FROM vectorops_staged LIMIT {rows}
""")
_MERGE_SAMPLE = sql.SQL("""
WITH done AS (
    MERGE INTO {table} AS t USING (
        SELECT s.* FROM vectorops_staged AS s LEFT JOIN {table} AS t ON t.{id} = s.id
        WHERE t.{id} IS NULL OR {differs} LIMIT {rows}
    ) AS s ON t.{id} = s.id
    WHEN MATCHED AND {differs} THEN UPDATE SET {vector} = s.embedding{assignments}
    WHEN NOT MATCHED THEN INSERT ({id}, {vector}{metadata}) OVERRIDING SYSTEM VALUE
        VALUES (s.id, s.embedding{values})
    RETURNING merge_action() AS action
)
SELECT count(*) FILTER (WHERE action = 'INSERT') AS inserted,
    count(*) FILTER (WHERE action = 'UPDATE') AS updated
FROM done
""")
_COMPARE = sql.SQL("""
SELECT count(*) FILTER (WHERE t.{id} IS NULL) AS inserted,
    count(*) FILTER (WHERE t.{id} IS NOT NULL AND {differs}) AS updated
FROM vectorops_staged AS s LEFT JOIN {table} AS t ON t.{id} = s.id
""")


@dataclass(frozen=True)
class Changes:
    """Rows that a load writes."""

    inserted: int
    updated: int

    @property
    def rows(self) -> int:
        """How many are written."""
        return self.inserted + self.updated


@dataclass(frozen=True)
class Duplicate:
    """A staged row whose id has been staged before.

    Attributes:
        source: Number of the file it is in.
        line: Its line.
        first_source: Number of the file with the first row of this id.
        first_line: That row's line.
        id: The id as text.
        vector: The vector as text.
    """

    source: int
    line: int
    first_source: int
    first_line: int
    id: str
    vector: str


def takes_copy(connection: psycopg.Connection[Any], table: VectorTable, *, may_have_rows: bool) -> bool:
    """Whether rows can go straight into `table`: no row policies, which COPY refuses, and no rows in it."""
    query = _TAKES_COPY.format(table=table.qualified, may_have_rows=sql.Literal(may_have_rows))
    return connection.execute(query, (table.qualified.as_string(connection),)).fetchone() == (True,)


def count_rows(connection: psycopg.Connection[Any], table: VectorTable) -> int:
    """Return how many rows `table` has."""
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table.qualified)).fetchone()
    return int(row[0]) if row else 0


def copy_into_table(
    connection: psycopg.Connection[Any], table: VectorTable, chunks: Iterable[memoryview]
) -> int:
    """Write rows, encoded without source and line; return how many the table took.

    Raises:
        psycopg.errors.UniqueViolation: An id is there twice. The transaction has failed.
    """
    return _copy(connection, _named(_COPY, table), chunks)


def create_staging(
    connection: psycopg.Connection[Any], table: VectorTable, *, schema: str | None = None
) -> None:
    """Create the staging table, with the types that `table` has.

    Args:
        connection: Inside a transaction, with whose end it goes, unless there is a `schema`.
        table: Where the rows are to go.
        schema: Where it is to stay. The search path has to lead there whenever it is used.
    """
    kind, end = sql.SQL("TEMP TABLE vectorops_staged"), sql.SQL("ON COMMIT DROP")
    if schema:
        lasting = sql.SQL("TABLE {}").format(sql.Identifier(schema, "vectorops_staged"))
        connection.execute(_named(_CREATE, table, kind=lasting, end=sql.SQL("")))
    else:
        connection.execute(_named(_CREATE, table, kind=kind, end=end))


def copy_into_staging(
    connection: psycopg.Connection[Any], table: VectorTable, chunks: Iterable[memoryview]
) -> None:
    """Write rows, encoded with source and line."""
    _copy(connection, _named(_COPY_STAGED, table), chunks)


def has_duplicates(connection: psycopg.Connection[Any]) -> bool:
    """Say whether any id is staged more than once."""
    row = connection.execute(_HAS_DUPLICATES).fetchone()
    return row is not None and bool(row[0])


def read_duplicates(connection: psycopg.Connection[Any]) -> Iterator[Duplicate]:
    """Yield all but the first row of each id, in the order they were read."""
    with connection.cursor("vectorops_duplicates", row_factory=class_row(Duplicate)) as cursor:
        yield from cursor.execute(_DUPLICATES)


def delete_duplicates(connection: psycopg.Connection[Any]) -> None:
    """Keep the first row of each id."""
    connection.execute(_DELETE_DUPLICATES)


def read_present(connection: psycopg.Connection[Any], table: VectorTable) -> Iterator[Duplicate]:
    """Yield the staged rows whose ids are in `table`, in the order they were read."""
    with connection.cursor("vectorops_present", row_factory=class_row(Duplicate)) as cursor:
        yield from cursor.execute(_named(_PRESENT, table))


def delete_present(connection: psycopg.Connection[Any], table: VectorTable) -> None:
    """Leave the rows whose ids are in `table` out."""
    connection.execute(_named(_DELETE_PRESENT, table))


def insert_staging(connection: psycopg.Connection[Any], table: VectorTable) -> Changes:
    """Insert the staged rows.

    Raises:
        psycopg.errors.UniqueViolation: An id is in `table` already. The transaction has failed.
    """
    return _changes(connection, _INSERT, table)


def merge_sample(connection: psycopg.Connection[Any], table: VectorTable, rows: int) -> Changes:
    """Do what `merge_staging` does, for up to `rows` of the rows that it would write."""
    return _changes(connection, _MERGE_SAMPLE, table, rows=sql.Literal(rows))


def insert_sample(connection: psycopg.Connection[Any], new: VectorTable, rows: int) -> int:
    """Insert up to `rows` staged rows into `new`; return how many."""
    return connection.execute(_named(_INSERT_SAMPLE, new, new=new.qualified, rows=sql.Literal(rows))).rowcount


def fill_merged(connection: psycopg.Connection[Any], table: VectorTable, new: VectorTable) -> None:
    """Fill the empty `new` with what `table` would hold after `merge_staging`."""
    name = table.qualified.as_string(connection)
    columns = [row[0] for row in connection.execute(_COLUMNS, (name,))]
    staged = {column.name: f"m{number}" for number, column in enumerate(table.metadata, start=1)}
    staged[table.vector_column] = "embedding"
    merged = [
        _STAGED.format(sql.Identifier(one), sql.Identifier(staged[one]))
        if one in staged
        else sql.Identifier("t", one)
        for one in columns
    ]
    comma = sql.SQL(", ")
    parts = {"columns": comma.join(map(sql.Identifier, columns)), "merged": comma.join(merged)}
    connection.execute(_named(_COPY_MERGED, table, new=new.qualified, **parts))
    connection.execute(_named(_INSERT_NEW, table, new=new.qualified))


def compare_staging(connection: psycopg.Connection[Any], table: VectorTable) -> Changes:
    """Return what `merge_staging` would change now, and write nothing."""
    _prepare_join(connection)
    return _changes(connection, _COMPARE, table)


def merge_staging(connection: psycopg.Connection[Any], table: VectorTable) -> Changes:
    """Insert the staged rows whose ids `table` lacks, update those whose vectors differ, touch no other.

    Other writers go on; when one of them gets in the way, the statement starts again and sees what it wrote.
    """
    _prepare_join(connection)
    for _ in range(_MERGE_ATTEMPTS - 1):
        try:
            with connection.transaction():
                return _changes(connection, _MERGE, table)
        except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected):
            continue
    return _changes(connection, _MERGE, table)


def _copy(
    connection: psycopg.Connection[Any], statement: sql.SQL | sql.Composed, chunks: Iterable[memoryview]
) -> int:
    cursor = connection.cursor()
    with cursor.copy(statement) as copy:
        copy.write(HEADER)
        for chunk in chunks:
            copy.write(chunk)
        copy.write(TRAILER)
    return cursor.rowcount


def _prepare_join(connection: psycopg.Connection[Any]) -> None:
    """Let the server plan the join with the table, and hold some 100 MB of vectors for it.

    With the 4 MB that are usual, 100,000 rows of 384 numbers go through temporary files, which takes twice as
    long.
    """
    connection.execute("ANALYZE vectorops_staged (id)")
    connection.execute(_JOIN_MEMORY)


def _changes(
    connection: psycopg.Connection[Any], query: sql.SQL, table: VectorTable, **parts: sql.Composable
) -> Changes:
    with connection.cursor(row_factory=class_row(Changes)) as cursor:
        changes = cursor.execute(_named(query, table, **parts)).fetchone()
    assert changes is not None  # noqa: S101 - an aggregate always has a row
    return changes


def _named(query: sql.SQL, table: VectorTable, **parts: sql.Composable) -> sql.Composed:
    # A column may be called as one of the staging table is, so there they are m1, m2, …
    staged = [
        (sql.Identifier(column.name), sql.Identifier(f"m{number}"))
        for number, column in enumerate(table.metadata, start=1)
    ]
    names: dict[str, sql.Composable] = {
        "table": table.qualified,
        "id": sql.Identifier(table.id_column),
        "vector": sql.Identifier(table.vector_column),
        "metadata": _list(", {0}", staged),
        "staged": _list(", {1}", staged),
        "as_staged": _list(", {0} AS {1}", staged),
        "values": _list(", s.{1}", staged),
        "current": _list(", t.{0}", staged),
        "assignments": _list(", {0} = s.{1}", staged),
    }
    return query.format(**names, differs=_DIFFERS.format(**names), **parts)


def _list(item: LiteralString, columns: Sequence[tuple[sql.Identifier, sql.Identifier]]) -> sql.Composed:
    return sql.Composed([sql.SQL(item).format(*names) for names in columns])
