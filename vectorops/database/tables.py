"""Vector tables, as the database's catalog describes them."""

import re
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from vectorops.database.columns import Column
from vectorops.database.connection import database_errors, first_line
from vectorops.database.metrics import DEFAULT_METRIC, METRICS, MetricName, VectorType
from vectorops.errors import DatabaseError, UsageError

# pgvector README: a column has up to 16,000 dimensions; HNSW indexes vector up to 2,000, halfvec up to 4,000.
MAX_DIMENSION = 16_000
MAX_INDEXED_DIMENSION = {"vector": 2_000, "halfvec": 4_000}
_MAX_NAME_BYTES = 63  # NAMEDATALEN - 1: PostgreSQL cuts longer names silently.
_ID_TYPE = re.compile(r"text|uuid|smallint|int|integer|bigint|(?:varchar|character varying)(?:\([1-9]\d*\))?")
_CREATE_HINT = "name one of them, or create it with 'vectorops load-embeddings --table NAME --create'"

_TABLES = """
SELECT n.nspname AS schema, c.relname AS name, keys.columns AS keys, vectors.columns AS vectors
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT array_agg(ARRAY[a.attname, format_type(a.atttypid, NULL), a.atttypmod::text]) AS columns
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
    WHERE i.indrelid = c.oid AND i.indisprimary
        AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])  -- without the INCLUDE columns
) AS keys
CROSS JOIN LATERAL (
    SELECT array_agg(ARRAY[a.attname, t.typname, a.atttypmod::text] ORDER BY a.attnum) AS columns
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND (t.typname IN ('vector', 'halfvec', 'sparsevec') OR t.typname = 'bit' AND a.atttypmod > 1)
) AS vectors
WHERE c.relkind IN ('r', 'p')
"""
_ONE_TABLE = f"""{_TABLES} AND c.relname = %(name)s
AND CASE WHEN %(schema)s::text IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = %(schema)s END"""
_VECTOR_TABLES = f"""{_TABLES} AND array_length(keys.columns, 1) = 1
AND vectors.columns IS NOT NULL AND NOT c.relispartition
AND n.nspname !~ '^(pg|vectorops_new|vectorops_kept)_'
ORDER BY n.nspname, c.relname"""


@dataclass(frozen=True)
class VectorTable:
    """A table with one vector column and a primary key of one column.

    Attributes:
        id_type: Type of the primary key as `format_type` names it, without length: "character varying".
        id_max_length: Characters that fit into an id, for `varchar(n)`; otherwise None.
        vector_type: Type of the vector column.
        dimension: Dimensions of the vector column, or None when it is declared without.
        metadata: The other columns, as far as a load fills them; none as the catalog is read.
        unfilled: Names of columns that a load could fill, and does not.
    """

    schema: str
    name: str
    id_column: str
    id_type: str
    id_max_length: int | None
    vector_column: str
    vector_type: VectorType
    dimension: int | None
    metadata: tuple[Column, ...] = ()
    unfilled: tuple[str, ...] = ()

    @property
    def qualified(self) -> sql.Identifier:
        """The quoted name with its schema, for `psycopg.sql`."""
        return sql.Identifier(self.schema, self.name)

    @property
    def full_name(self) -> str:
        """The name with its schema, for people and for `vector_table`."""
        return f"{self.schema}.{self.name}"


def vector_table(connection: psycopg.Connection[Any], name: str) -> VectorTable:
    """Return the table called `name`, "item_emb" or "schema.item_emb", letter for letter.

    Raises:
        UsageError: No table could have that name.
        DatabaseError: There is no such table, it has not exactly one vector column, or its primary key is not
            exactly one column.
    """
    schema, table = _split(name)
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_ONE_TABLE, {"schema": schema, "name": table}).fetchone()
    if row is None:
        raise DatabaseError(
            f"there is no table '{name}'", why=_those_there_are(connection), hint=_CREATE_HINT
        )
    row["vectors"] = _vectors(row["vectors"])
    title = f"table '{row['schema']}.{row['name']}'"
    _exactly_one(row["vectors"], title, "vector column")
    _exactly_one(row["keys"], title, "primary key column")
    if not _has_plain_names(row):
        raise DatabaseError(f"{title} has a column with '%' in its name", hint="rename the column")
    return _from_row(row)


def list_vector_tables(connection: psycopg.Connection[Any]) -> list[VectorTable]:
    """Return every table that `vector_table` accepts, ordered by schema and name, without partitions."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = [row | {"vectors": _vectors(row["vectors"])} for row in cursor.execute(_VECTOR_TABLES)]
    return [_from_row(row) for row in rows if len(row["vectors"]) == 1 and _has_plain_names(row)]


def first_id(connection: psycopg.Connection[Any], table: VectorTable) -> str | int | None:
    """Return the smallest id of `table`, or None when it is empty; integers as int, other types as str."""
    statement = sql.SQL("SELECT {id} FROM {table} ORDER BY {id} LIMIT 1")
    query = statement.format(id=sql.Identifier(table.id_column), table=table.qualified)
    with database_errors(f"cannot read '{table.full_name}'"):
        row = connection.execute(query).fetchone()
    return row and (row[0] if isinstance(row[0], int) else str(row[0]))


def create_vector_table(
    connection: psycopg.Connection[Any],
    name: str,
    *,
    id_type: str,
    dimension: int,
    metric: MetricName = DEFAULT_METRIC,
    vector_type: VectorType = "vector",
) -> VectorTable:
    """Create a table (id, embedding) with an HNSW index, inside the caller's transaction if there is one.

    A `vector` column beyond 2,000 dimensions is indexed as its halfvec, up to 4,000; search ranks the rows
    that index finds by the full vectors. Beyond that there is no index, and search reads the whole table.

    Args:
        connection: An open connection.
        name: "item_emb" or "schema.item_emb"; the schema must be there.
        id_type: text, varchar, varchar(n), uuid, smallint, integer or bigint.
        dimension: 1 to 16,000.
        metric: The one metric that the index serves.
        vector_type: "halfvec" halves storage and index at 11 bits of precision.

    Raises:
        UsageError: The name, id type, dimension or metric is none that can be.
        DatabaseError: PostgreSQL refused, for example because the table exists.
    """
    schema, table = _split(name)
    identifier = sql.Identifier(schema, table) if schema else sql.Identifier(table)
    columns = sql.SQL("id {} PRIMARY KEY, embedding {} NOT NULL").format(
        sql.SQL(_checked_id_type(id_type)), _sized(vector_type, _checked_dimension(dimension))
    )
    try:
        with connection.transaction():
            connection.execute(sql.SQL("CREATE TABLE {} ({})").format(identifier, columns))
            if key := _index_key(vector_type, dimension, metric):
                connection.execute(sql.SQL("CREATE INDEX ON {} USING hnsw ({})").format(identifier, key))
    except psycopg.Error as exc:
        raise DatabaseError(
            f"cannot create table '{name}'", why=first_line(exc), hint=_schema_hint(exc)
        ) from exc
    return vector_table(connection, name)


def _index_key(vector_type: VectorType, dimension: int, metric: MetricName) -> sql.Composed | None:
    if metric not in METRICS:
        raise UsageError(f"no metric is called '{metric}'", hint=f"choose one of {', '.join(METRICS)}")
    if dimension <= MAX_INDEXED_DIMENSION[vector_type]:
        return sql.SQL("embedding {}").format(sql.SQL(METRICS[metric].opclass(vector_type)))
    if dimension <= MAX_INDEXED_DIMENSION["halfvec"]:
        opclass = sql.SQL(METRICS[metric].opclass("halfvec"))
        return sql.SQL("(embedding::{}) {}").format(_sized("halfvec", dimension), opclass)
    return None


def _sized(vector_type: VectorType, dimension: int) -> sql.Composed:
    return sql.SQL("{}({})").format(sql.SQL(vector_type), sql.Literal(dimension))


def _checked_id_type(id_type: str) -> str:
    wanted = id_type.strip().lower()
    if not _ID_TYPE.fullmatch(wanted):
        raise UsageError(
            f"an id cannot be of type '{id_type}'",
            hint="choose text, varchar, varchar(n), uuid, smallint, integer or bigint",
        )
    return wanted


def _checked_dimension(dimension: int) -> int:
    if not 1 <= dimension <= MAX_DIMENSION:
        raise UsageError(
            f"a vector cannot have {dimension} dimensions", why=f"pgvector takes 1 to {MAX_DIMENSION}"
        )
    return dimension


def _split(name: str) -> tuple[str | None, str]:
    schema, dot, table = name.rpartition(".")
    parts = [schema, table] if dot else [table]
    if any(not part or set(part) & set("\0%") or len(part.encode()) > _MAX_NAME_BYTES for part in parts):
        raise UsageError(
            f"'{name}' cannot name a table",
            why=f"a name is 1 to {_MAX_NAME_BYTES} bytes long, without '%'",
            hint="write it as item_emb or schema.item_emb",
        )
    return schema or None, table


def _those_there_are(connection: psycopg.Connection[Any]) -> str:
    names = [table.full_name for table in list_vector_tables(connection)]
    return f"the vector tables are {', '.join(names)}" if names else "the database has no vector tables"


def _vectors(columns: list[list[str]] | None) -> list[list[str]] | None:
    """Return the vector columns: a bit column is one only where there is no other."""
    return [column for column in columns or [] if column[1] != "bit"] or columns


def _exactly_one(columns: list[list[str]] | None, table: str, kind: str) -> None:
    if columns is None:
        raise DatabaseError(
            f"{table} has no {kind}",
            hint="a vector table looks like (id text PRIMARY KEY, embedding vector(32))",
        )
    if len(columns) > 1:
        names = ", ".join(column[0] for column in columns)
        raise DatabaseError(
            f"{table} has {len(columns)} {kind}s: {names}",
            why="a vector table has one vector column and a primary key of one column",
            hint="split the table, one vector column and one id column each",
        )


def _has_plain_names(row: dict[str, Any]) -> bool:
    # psycopg takes a '%' for a parameter even in an identifier it has quoted.
    return "%" not in "".join([row["schema"], row["name"], row["keys"][0][0], row["vectors"][0][0]])


def _from_row(row: dict[str, Any]) -> VectorTable:
    id_column, id_type, id_typmod = row["keys"][0]
    vector_column, vector_type, vector_typmod = row["vectors"][0]
    has_length = id_type in ("character varying", "character") and int(id_typmod) > 0
    return VectorTable(
        schema=row["schema"],
        name=row["name"],
        id_column=id_column,
        id_type=id_type,
        id_max_length=int(id_typmod) - 4 if has_length else None,  # 4: the header that atttypmod counts in
        vector_column=vector_column,
        vector_type=vector_type,
        dimension=int(vector_typmod) if int(vector_typmod) > 0 else None,
    )


def _schema_hint(error: psycopg.Error) -> str:
    is_missing_type = isinstance(error, psycopg.errors.UndefinedObject)
    return "install the vector extension with 'vectorops schema apply'" if is_missing_type else ""
