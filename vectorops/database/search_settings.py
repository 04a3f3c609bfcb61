"""What `vectorops index tune` measured: searches take their ef_search from `vectorops.search_settings`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from vectorops.database.filters import Filter, filters_shape
from vectorops.database.indexes import IndexKey
from vectorops.database.metrics import MetricName
from vectorops.database.tables import VectorTable


@dataclass(frozen=True)
class SearchSetting:
    """The smallest ef_search that reached a recall.

    Attributes:
        table_name: As `VectorTable.full_name` gives it.
        index_key: What the index held that was measured.
        filter: As it was measured, or "".
        filter_shape: The filter without its values, or "".
        selectivity: Share of the rows that pass the filter, 0 to 1.
        k: Rows searched for.
        recall: Share of the true neighbours that were found, 0 to 1.
        target_recall: What was asked for.
        queries: How many of the table's vectors were searched for.
        table_rows: Rows the table had.
        measured_at: Set by the database.
        measured_by: Database user, set by the database.
    """

    table_name: str
    metric: MetricName
    index_key: IndexKey
    filter: str
    filter_shape: str
    selectivity: float
    k: int
    ef_search: int
    recall: float
    target_recall: float
    queries: int
    table_rows: int
    measured_at: datetime | None = None
    measured_by: str | None = None


_COLUMNS = """table_name, metric, index_key, filter, filter_shape, selectivity, k, ef_search, recall,
    target_recall, queries, table_rows"""
_RECORD = f"""
INSERT INTO vectorops.search_settings ({_COLUMNS})
VALUES (%(table_name)s, %(metric)s, %(index_key)s, %(filter)s, %(filter_shape)s, %(selectivity)s, %(k)s,
    %(ef_search)s, %(recall)s, %(target_recall)s, %(queries)s, %(table_rows)s)
ON CONFLICT (table_name, metric, index_key, filter) DO UPDATE SET filter_shape = excluded.filter_shape,
    selectivity = excluded.selectivity, k = excluded.k, ef_search = excluded.ef_search,
    recall = excluded.recall, target_recall = excluded.target_recall, queries = excluded.queries,
    table_rows = excluded.table_rows, measured_at = clock_timestamp(), measured_by = current_user
"""  # noqa: S608 - the names of its columns
_STORED = f"SELECT {_COLUMNS}, measured_at, measured_by FROM vectorops.search_settings WHERE table_name = %s"  # noqa: S608
# Not to_regclass, which raises an error for one who may not look into the schema.
_IS_READABLE = """
SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'vectorops' AND c.relname = 'search_settings'
        AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
"""


def record_setting(connection: psycopg.Connection[Any], setting: SearchSetting) -> None:
    """Store `setting` in place of what was measured before for the same kind of search."""
    connection.execute(_RECORD, vars(setting))


def stored_settings(connection: psycopg.Connection[Any], table: VectorTable) -> list[SearchSetting]:
    """Return what was measured for `table`; nothing where the schema is older, or may not be read."""
    if connection.execute(_IS_READABLE).fetchone() != (True,):
        return []
    with connection.cursor(row_factory=class_row(SearchSetting)) as cursor:
        return cursor.execute(_STORED, (table.full_name,)).fetchall()


def tuned_ef_search(
    settings: Sequence[SearchSetting],
    metric: MetricName,
    index_key: IndexKey,
    filters: Sequence[Filter] = (),
) -> int | None:
    """Return the ef_search that `settings` have for a kind of search, or None.

    A filter measured with several values, whose selectivities differ, takes the largest of them, so that all
    reach their recall; a filter that was never measured takes what was measured without one.
    """
    of_index = [one for one in settings if (one.metric, one.index_key) == (metric, index_key)]
    for shape in (filters_shape(filters), ""):
        if found := [one.ef_search for one in of_index if one.filter_shape == shape]:
            return max(found)
    return None
