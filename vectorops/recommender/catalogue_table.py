"""A catalogue in the database: one statement finds everything, through the vector index."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from vectorops.database.indexes import vector_indexes
from vectorops.database.search_settings import stored_settings, tuned_ef_search
from vectorops.database.tables import VectorTable
from vectorops.errors import DatabaseError
from vectorops.recommender.catalogue import SCORE_DECIMALS, Found, Neighbour, Search, unit_vectors

Statement = tuple[sql.SQL | sql.Composed, Sequence[Any]]
Rows = list[tuple[Any, ...]]

# Both settings are local to the transaction. Without an iterative scan the index ends at ef_search rows;
# servers before pgvector 0.8.0 do not know the setting.
_SETTINGS = sql.SQL("""
SELECT set_config('hnsw.ef_search', %s::text, true),
    CASE WHEN string_to_array(extversion, '.')::int[] >= '{0,8,0}'
        THEN set_config('hnsw.iterative_scan', 'strict_order', true) END
FROM pg_extension WHERE extname = 'vector'
""")
_DEFAULT_EF_SEARCH, _MAX_EF_SEARCH = 40, 1_000  # pgvector README

# A user's vector is row n > 0, an item row n < 0. An item without neighbours has one row without an id.
_SEARCH = """
SELECT wanted.n::int, found.id, found.score
FROM unnest(%b::vector[], %b::int[]) WITH ORDINALITY AS wanted (vector, size, n)
CROSS JOIN LATERAL (
    SELECT e.{id}::text AS id, 1 - (e.{vector} <=> wanted.vector::{type}) AS score
    FROM {table} e ORDER BY {by_vector} LIMIT wanted.size
) AS found
UNION ALL
SELECT -wanted.n::int, found.id, found.score
FROM unnest(%b::text[]) WITH ORDINALITY AS wanted (id, n)
JOIN {table} i ON i.{id} = wanted.id AND vector_norm(i.{vector}::vector) > 0
LEFT JOIN LATERAL (
    SELECT e.{id}::text AS id, 1 - (e.{vector} <=> i.{vector}) AS score
    FROM {table} e WHERE e.{id} <> i.{id} ORDER BY {by_item} LIMIT %b
) AS found ON true
"""


@dataclass(frozen=True)
class TableCatalogue:
    """Items whose vectors stay in the database.

    Attributes:
        query: Runs statements in one transaction and returns the rows of each, in binary form or not.
        statement: The search.
        ef_search: Candidates that HNSW keeps, where the rows wanted do not need more.
    """

    query: Callable[[Sequence[Statement]], list[Rows]]
    statement: sql.Composed
    ef_search: int = _DEFAULT_EF_SEARCH

    def search(self, wanted: Search) -> Found:
        """Return the nearest items to each vector and to each item of `wanted`.

        Raises:
            DatabaseError: As `query` does.
        """
        probes = _Probes.of(wanted)
        items = [id_ for id_ in wanted.items if _is_text(id_)]
        if not probes.vectors and not items:
            return Found([[] for _ in wanted.vectors], {})
        ef_search = min(_MAX_EF_SEARCH, max(self.ef_search, wanted.k + 1, *probes.sizes))
        parameters = (probes.vectors, probes.sizes, items, wanted.k)
        _, rows = self.query([(_SETTINGS, (ef_search,)), (self.statement, parameters)])
        return _found(rows, wanted, probes, items)


def table_catalogue(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    query: Callable[[Sequence[Statement]], list[Rows]],
) -> TableCatalogue:
    """Return the catalogue of `table`, which `query` searches with the ef_search that was measured for it.

    An index of bits is passed over: what it finds would have to be ranked again.

    Raises:
        DatabaseError: No index serves cosine, so that each search would read the whole table.
    """
    usable = (
        one
        for one in vector_indexes(connection, table)
        if one.is_searchable and one.metric == "cosine" and one.key != "bit"
    )
    index = next(usable, None)
    if index is None:
        build = f"vectorops index build {table.full_name} --metric cosine --type halfvec"
        raise DatabaseError(
            f"'{table.full_name}' is too large to be held in memory, and has no index of vectors for cosine",
            hint=f"build one with '{build}', or raise CATALOGUE_BUDGET_MB and the memory",
        )
    tuned = tuned_ef_search(stored_settings(connection, table), "cosine", index.key)
    statement = _statement(table, through_halfvec=index.key == "halfvec")
    return TableCatalogue(query, statement, tuned or _DEFAULT_EF_SEARCH)


def _statement(table: VectorTable, *, through_halfvec: bool) -> sql.Composed:
    vector, type_ = sql.Identifier(table.vector_column), sql.SQL(table.vector_type)
    own, item = sql.SQL("e.{}").format(vector), sql.SQL("i.{}").format(vector)
    user = sql.SQL("wanted.vector::{}").format(type_)
    if through_halfvec:
        cast = sql.SQL("({}::halfvec({}))")
        own, item, user = (cast.format(one, sql.Literal(table.dimension)) for one in (own, item, user))
    return sql.SQL(_SEARCH).format(
        id=sql.Identifier(table.id_column),
        vector=vector,
        type=type_,
        table=table.qualified,
        by_vector=sql.SQL("{} <=> {}").format(own, user),
        by_item=sql.SQL("{} <=> {}").format(own, item),
    )


@dataclass(frozen=True)
class _Probes:
    """The vectors that are looked for, each once: many events are of the same user.

    Attributes:
        vectors: float32, each of shape (dimension,).
        sizes: Rows wanted for each, with those that will be left out.
        numbers: For each vector of the search, its number in `vectors` from 1; 0 for one without a direction.
    """

    vectors: list[Any]
    sizes: list[int]
    numbers: list[int]

    @classmethod
    def of(cls, wanted: Search) -> "_Probes":
        units, has_direction = unit_vectors(wanted.vectors)
        seen: dict[bytes, int] = {}
        numbers: list[int] = []
        sizes: list[int] = []
        for unit, usable, without in zip(units, has_direction, wanted.without, strict=True):
            number = seen.setdefault(unit.tobytes(), len(seen) + 1) if usable else 0
            if number > len(sizes):
                sizes.append(0)
            if number:
                sizes[number - 1] = max(sizes[number - 1], wanted.k + len(without))
            numbers.append(number)
        return cls([np.frombuffer(key, dtype=np.float32) for key in seen], sizes, numbers)


def _found(rows: Rows, wanted: Search, probes: _Probes, items: Sequence[str]) -> Found:
    neighbours: dict[int, list[Neighbour]] = {}
    for number, id_, score in rows:
        one = neighbours.setdefault(number, [])
        # Nothing has a distance to no vector; NaN is the cosine distance to a zero vector.
        if score is not None and not math.isnan(score):
            one.append({"id": id_, "score": round(score, SCORE_DECIMALS) + 0.0})
    for one in neighbours.values():
        one.sort(key=lambda neighbour: (-neighbour["score"], neighbour["id"]))
    by_vector = [
        [one for one in neighbours.get(number, []) if one["id"] not in without][: wanted.k]
        for number, without in zip(probes.numbers, wanted.without, strict=True)
    ]
    by_item = {id_: neighbours[-n] for n, id_ in enumerate(items, start=1) if -n in neighbours}
    return Found(by_vector, by_item)


def _is_text(id_: str) -> bool:
    """Whether PostgreSQL can hold `id_`: text has no NUL, and UTF-8 no half of a surrogate pair."""
    try:
        return b"\0" not in id_.encode()
    except UnicodeEncodeError:
        return False
