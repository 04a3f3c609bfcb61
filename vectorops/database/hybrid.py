"""Searching by vector and by text at once."""

import re
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from vectorops.database.filters import conditions
from vectorops.database.search_statement import SearchShape, search_statement, where_clause
from vectorops.database.tables import VectorTable
from vectorops.errors import UsageError

RANK_CONSTANT = 60  # as in the paper that `Searcher.hybrid` names

_COLUMNS = """
SELECT a.attname, a.atttypid = 'tsvector'::regtype,
    (SELECT string_agg(pg_get_indexdef(i.indexrelid), ' ') FROM pg_index i
        JOIN pg_class index ON index.oid = i.indexrelid JOIN pg_am am ON am.oid = index.relam
        WHERE i.indrelid = a.attrelid AND i.indisvalid AND am.amname IN ('gin', 'gist')
            AND (a.attnum = ANY (i.indkey) OR pg_get_expr(i.indexprs, i.indrelid)
                LIKE 'to_tsvector(%%' || quote_ident(a.attname) || '%%')),
    get_current_ts_config()::text
FROM pg_attribute a
WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> %(id)s
    AND a.atttypid IN ('tsvector'::regtype, 'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
    AND position('%%' IN a.attname) = 0
ORDER BY a.attnum
"""
_CONFIG = re.compile(r"to_tsvector\('((?:[^']|'')+)'::regconfig")

_HYBRID = """
WITH by_vector AS (
    SELECT id, row_number() OVER (ORDER BY distance, id) AS place FROM ({nearest}) AS found (id, distance)
    WHERE distance < 'NaN'
), by_text AS (
    SELECT id, row_number() OVER (ORDER BY rank DESC, id) AS place FROM (
        SELECT {id} AS id, ts_rank_cd({document}, wanted) AS rank
        FROM {table} AS stored_text, websearch_to_tsquery({config}::regconfig, %(text)s) AS wanted{where}
        ORDER BY 2 DESC, 1 LIMIT {candidates}
    ) AS matching
)
SELECT id,
    coalesce(1.0 / ({constant} + by_vector.place), 0) + coalesce(1.0 / ({constant} + by_text.place), 0),
    by_vector.place, by_text.place
FROM by_vector FULL JOIN by_text USING (id)
ORDER BY 2 DESC, 1 LIMIT {k}
"""


@dataclass(frozen=True)
class TextColumn:
    """A column whose words can be searched.

    Attributes:
        is_tsvector: Whether it holds prepared lexemes instead of text.
        config: Text search configuration to read text and questions with.
        has_index: Whether a full-text index serves it.
    """

    name: str
    is_tsvector: bool
    config: str
    has_index: bool


def text_column(
    connection: psycopg.Connection[Any], table: VectorTable, name: str | None, config: str | None
) -> TextColumn:
    """Return the column called `name`, or the one there is; with `config` or that of its index.

    Raises:
        UsageError: There is none, or more than one could be meant.
    """
    names = {"table": table.qualified.as_string(connection), "id": table.id_column}
    found = [_column(*row) for row in connection.execute(_COLUMNS, names)]
    chosen = _choose([one for one in found if name in (None, one.name)])
    if chosen is None:
        there = ", ".join(one.name for one in found)
        wanted = f"text column '{name}'" if name else "single text column"
        raise UsageError(
            f"'{table.full_name}' has no {wanted} to search",
            why=f"its text columns are {there}" if there else "it has no text column",
            hint="name one with --text-column" if there else "add one: text, or tsvector",
        )
    return TextColumn(chosen.name, chosen.is_tsvector, config or chosen.config, chosen.has_index)


def hybrid_statement(table: VectorTable, shape: SearchShape, column: TextColumn, k: int) -> sql.Composed:
    """Return a statement that gives id, fused score and the places in both lists, best first.

    Its parameters are those of `search_statement` and `text`. Both lists are as long as `shape.k`.
    """
    document: sql.Composable = sql.Identifier(column.name)
    config = sql.Literal(column.config)
    if not column.is_tsvector:
        document = sql.SQL("to_tsvector({}::regconfig, {})").format(config, document)
    matches = sql.SQL("{} @@ wanted").format(document)
    others = [sql.SQL("{} <> %(id)s").format(sql.Identifier(table.id_column))] if shape.by_id else []
    return sql.SQL(_HYBRID).format(
        nearest=search_statement(table, shape),
        id=sql.Identifier(table.id_column),
        document=document,
        table=table.qualified,
        config=config,
        where=where_clause([matches, *conditions(shape.filters), *others]),
        candidates=sql.Literal(shape.k),
        constant=sql.Literal(RANK_CONSTANT),
        k=sql.Literal(k),
    )


def _column(name: str, is_tsvector: bool, indexes: str | None, config: str) -> TextColumn:
    of_index = _CONFIG.search(indexes or "")
    return TextColumn(name, is_tsvector, of_index[1] if of_index else config, bool(indexes))


def _choose(columns: list[TextColumn]) -> TextColumn | None:
    """Return the only column, or the only one that is best prepared for a search."""
    for fits in (
        [one for one in columns if one.is_tsvector],
        [one for one in columns if one.has_index],
        columns,
    ):
        if fits:
            return fits[0] if len(fits) == 1 else None
    return None
