"""What a search needs to know beforehand: indexes, columns, and settings measured and the server's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from vectorops.database.indexes import IndexKey, VectorIndex, vector_indexes
from vectorops.database.metrics import DEFAULT_METRIC, METRICS, Metric, MetricName
from vectorops.database.search_settings import SearchSetting, stored_settings
from vectorops.database.search_statement import FirstPass
from vectorops.database.tables import VectorTable
from vectorops.errors import UsageError

# Comparing every row of a smaller table takes some ten milliseconds.
NOTICEABLE_BYTES = 16 * 1024 * 1024

_SERVER = """
SELECT coalesce(nullif(current_setting('hnsw.ef_search', true), '')::int, 40),
    (SELECT string_to_array(extversion, '.')::int[] >= '{0,8,0}' FROM pg_extension WHERE extname = 'vector'),
    (SELECT coalesce(sum(pg_table_size(part)), 0)::bigint FROM
        (SELECT relid FROM pg_partition_tree(%(table)s) UNION SELECT %(table)s::regclass) AS parts (part)),
    ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attnum > 0
        AND NOT attisdropped AND attname <> %(vector)s AND position('%%' IN attname) = 0 ORDER BY attnum)
"""


@dataclass(frozen=True)
class SearchCatalogue:
    """What the database says of a table and of itself.

    Attributes:
        settings: What `vectorops index tune` stored for the table.
        columns: Columns that a filter may name.
        table_bytes: Size of the rows, with vectors that are stored out of line.
        server_ef_search: `hnsw.ef_search` of the connection.
        can_iterate: Whether an index goes on where a filter removed what it found: pgvector 0.8.0 and later.
    """

    indexes: list[VectorIndex]
    settings: list[SearchSetting]
    columns: list[str]
    table_bytes: int
    server_ef_search: int
    can_iterate: bool

    def metric(self, wanted: MetricName | None, through: FirstPass | None) -> Metric:
        """Return the wanted metric, or that of the index that serves, or cosine."""
        index = self.index(wanted, through)
        return METRICS[wanted or (index and index.metric) or DEFAULT_METRIC]

    def index(self, metric: MetricName | None, through: FirstPass | None) -> VectorIndex | None:
        """Return the index a search should read, or None.

        HNSW comes before IVFFlat, and a halfvec, which is smaller and as good once its candidates are ranked
        by their full vectors, before the column. Bits, which need more candidates, come last.
        """
        usable = [one for one in self.indexes if one.is_searchable and metric in (None, one.metric)]
        keys: list[IndexKey] = [through] if through else ["halfvec", "column", "bit"]
        chosen = [one for one in usable if one.key in keys]
        return min(chosen, key=lambda one: (one.method != "hnsw", keys.index(one.key)), default=None)


def read_catalogue(connection: psycopg.Connection[Any], table: VectorTable) -> SearchCatalogue:
    """Ask the database, in four statements."""
    names = {"table": table.qualified.as_string(connection), "vector": table.vector_column}
    row: Sequence[Any] = connection.execute(_SERVER, names).fetchone() or (40, False, 0, [])
    return SearchCatalogue(
        indexes=vector_indexes(connection, table),
        settings=stored_settings(connection, table),
        columns=row[3],
        table_bytes=row[2],
        server_ef_search=row[0],
        can_iterate=bool(row[1]),
    )


def slow_search_warning(catalogue: SearchCatalogue, table: VectorTable, metric: Metric) -> str:
    """Return why a search of `table` read every row, and what to do, or "" where the table is small."""
    if catalogue.table_bytes < NOTICEABLE_BYTES:
        return ""
    build = f"'vectorops index build {table.full_name} --metric {metric.name}'"
    return f"every row was compared, since {_reason(catalogue.indexes, metric)} {build}"


def _reason(indexes: Sequence[VectorIndex], metric: Metric) -> str:
    of_metric = [index for index in indexes if index.metric == metric.name]
    if not indexes:
        return "the table has no vector index; build one with"
    if not of_metric:
        served = ", ".join(sorted({str(index.metric) for index in indexes if index.metric}))
        return f"its index serves {served or 'none of our metrics'}; choose that with --metric, or build"
    if not any(index.is_searchable for index in of_metric):
        return f"index '{of_metric[0].name}' is invalid or partial; build another with"
    return "PostgreSQL took that for cheaper than the index; if it is not, run ANALYZE, or rebuild with"


def check_through(index: VectorIndex | None, table: VectorTable, through: FirstPass | None) -> None:
    """Raise UsageError if a first pass was asked for that no index offers."""
    if through and index is None:
        raise UsageError(
            f"'{table.full_name}' has no index for a first pass through '{through}' with that metric",
            hint=f"build one with 'vectorops index build {table.full_name} --type {_TYPES[through]}'",
        )


_TYPES: dict[FirstPass, str] = {"column": "vector", "halfvec": "halfvec", "bit": "bit"}
