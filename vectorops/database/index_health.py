"""What is wrong with the vector indexes of a table, and the command that mends each."""

import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql

from vectorops.database.connection import database_errors
from vectorops.database.filters import Filter, filters_shape, filters_text, parse_filters
from vectorops.database.index_memory import index_bytes
from vectorops.database.index_spec import BUILDING, REPLACED, IndexType
from vectorops.database.indexes import VectorIndex
from vectorops.database.inspection import pgvector_faults, server_versions, table_state
from vectorops.database.query import check_dense
from vectorops.database.recall import RecallProbe
from vectorops.database.search_options import SearchOptions
from vectorops.database.search_settings import SearchSetting, stored_settings
from vectorops.database.tables import VectorTable
from vectorops.errors import UsageError

Severity = Literal["problem", "note"]

# A search passes over rows that are gone and comes short of as many candidates; autovacuum comes at 50 rows
# and 20 % (PostgreSQL documentation, "Automatic Vacuuming").
_LEAST_ROWS, _DEAD_SHARE = 50, 0.2
# Half as much again as a new index would take, and enough to matter.
_BLOAT_FACTOR, _BLOAT_BYTES = 1.5, 8 * 2**20
# A sample of 100 searches for 10 rows has a standard error of less than this.
_RECALL_SLACK = 0.02
# Chance alone may draw a sample that looks worse than that, so a second, larger one has to agree.
_SECOND_SAMPLE = 4
_GROWTH = 2.0
_COUNTED_BYTES = 2**30

# PostgreSQL counts the rows of a transaction after its ANALYZE, as if that had not seen them. Where there are
# statistics, and no row ever written counts as seen, they are of the rows that ANALYZE counted.
_STATISTICS = """
SELECT coalesce(sum(n_dead_tup), 0)::bigint, coalesce(sum(n_live_tup), 0)::bigint,
    coalesce(sum(n_mod_since_analyze - CASE WHEN n_mod_since_analyze = n_tup_ins + n_tup_upd + n_tup_del
        AND EXISTS (SELECT FROM pg_stats WHERE (schemaname, tablename) = (t.schemaname, t.relname))
        THEN reltuples ELSE 0 END), 0)::bigint,
    bool_and(coalesce(last_analyze, last_autoanalyze) IS NOT NULL)
FROM pg_stat_all_tables t JOIN pg_class c ON c.oid = relid WHERE relid IN
    (SELECT relid FROM pg_partition_tree(%(table)s) UNION SELECT %(table)s::regclass)
"""
_UNINDEXED = """
SELECT count(*), count(*) FILTER (WHERE {vector} IS NULL),
    count(*) FILTER (WHERE vector_norm({vector}::vector) = 0) FROM {table}{sample}
"""
_BUILDS = """
SELECT phase, blocks_done, blocks_total FROM pg_stat_progress_create_index WHERE relid = %(table)s::regclass
"""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: "missing", "invalid", "left over", "duplicate", "bloat", "dead rows", "statistics", "no vector",
            "zero vector", "recall", "not tuned", "building" or "pgvector".
        severity: A note needs nobody.
        about: Index, filter, or table.
        found: What was found, for people.
        mend: The command that puts it right, for a shell or, where it is SQL, for psql.
    """

    kind: str
    severity: Severity
    about: str
    found: str
    mend: str


@dataclass(frozen=True)
class HealthReport:
    """Everything that was found; problems first."""

    table: str
    rows: int
    findings: list[Finding]

    @property
    def is_healthy(self) -> bool:
        """Whether there are no problems."""
        return all(one.severity != "problem" for one in self.findings)


def index_health(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    *,
    queries: int = 100,
    on_recall: Callable[[SearchSetting], None] = lambda _: None,
) -> HealthReport:
    """Look for everything that makes searches of `table` slow or incomplete.

    Rows without a vector are counted in tables up to 1 GiB and estimated from a sample beyond.

    Args:
        connection: Autocommit connection.
        table: From `vector_table`.
        queries: Vectors to search for, for each measure that `index tune` stored; 0 leaves recall out.
        on_recall: Called before each of these.

    Raises:
        UsageError: The vectors of the table are none that can be searched.
        DatabaseError: PostgreSQL refused.
    """
    check_dense(table)
    with database_errors(f"cannot inspect '{table.full_name}'"):
        state = table_state(connection, table)
        settings = stored_settings(connection, table)
        name = {"table": table.qualified.as_string(connection)}
        findings = [
            *_pgvector(server_versions(connection).pgvector or ""),
            *_builds(connection, name),
            *_indexes(table, state.indexes),
            *_sizes(table, state.indexes, state.rows),
            *_statistics(connection, table, name),
            *_unindexed(connection, table, state.indexes, state.total_bytes),
            *_tuning(table, state.indexes, settings),
        ]
    if queries:
        findings += _drifts(connection, table, state.indexes, settings, state.rows, queries, on_recall)
    findings.sort(key=lambda one: one.severity != "problem")
    return HealthReport(table.full_name, state.rows, findings)


def _pgvector(version: str) -> Iterator[Finding]:
    for fault in pgvector_faults(version):
        yield Finding("pgvector", "problem", f"pgvector {version}", fault, "ALTER EXTENSION vector UPDATE;")


def _builds(connection: psycopg.Connection[Any], name: dict[str, str]) -> Iterator[Finding]:
    for phase, done, total in connection.execute(_BUILDS, name):
        share = f", {done / total:.0%}" if total else ""
        yield Finding("building", "note", name["table"], f"an index is being built: {phase}{share}", "")


def _indexes(table: VectorTable, indexes: Sequence[VectorIndex]) -> Iterator[Finding]:
    build = _command("build", table)
    if not any(index.is_searchable for index in indexes):
        found = "no index that searches can use: every row is compared"
        yield Finding("missing", "problem", table.full_name, found, build)
    for index in indexes:
        drop = f"DROP INDEX CONCURRENTLY {_quoted(table.schema)}.{_quoted(index.name)};"
        if index.name.endswith((BUILDING, REPLACED)):
            found = "left over from a build that was interrupted; the next one removes it"
            yield Finding("left over", "problem", index.name, found, build)
        elif not index.is_valid:
            found = "invalid: a concurrent build of it failed; it slows down writes and serves no search"
            yield Finding("invalid", "problem", index.name, found, drop)
    yield from _duplicates(table, indexes)


def _duplicates(table: VectorTable, indexes: Sequence[VectorIndex]) -> Iterator[Finding]:
    kinds = Counter((index.method, index.key, index.metric) for index in indexes if index.is_searchable)
    for index in indexes:
        kind = (index.method, index.key, index.metric)
        if index.is_searchable and kinds[kind] > 1:
            kinds[kind] -= 1
            drop = f"DROP INDEX CONCURRENTLY {_quoted(table.schema)}.{_quoted(index.name)};"
            found = "another index holds the same; each write goes into both"
            yield Finding("duplicate", "problem", index.name, found, drop)


def _sizes(table: VectorTable, indexes: Sequence[VectorIndex], rows: int) -> Iterator[Finding]:
    for index in indexes:
        if index.method != "hnsw" or index.key == "other" or table.dimension is None or not index.is_valid:
            continue
        type_: IndexType = index.key if index.key != "column" else _own_type(table)
        expected = index_bytes(rows, table.dimension, type_, index.options["m"])
        if index.size_bytes > max(_BLOAT_FACTOR * expected, expected + _BLOAT_BYTES):
            times = index.size_bytes / expected
            found = f"{times:.1f} times the size of a new index of {rows:,} rows"
            mend = f"REINDEX INDEX CONCURRENTLY {_quoted(table.schema)}.{_quoted(index.name)};"
            yield Finding("bloat", "problem", index.name, found, mend)


def _own_type(table: VectorTable) -> IndexType:
    return "halfvec" if table.vector_type == "halfvec" else "vector"


def _statistics(
    connection: psycopg.Connection[Any], table: VectorTable, name: dict[str, str]
) -> Iterator[Finding]:
    row = connection.execute(_STATISTICS, name).fetchone() or (0, 0, 0, True)
    dead, live, modified, is_analysed = row
    if dead > _LEAST_ROWS + _DEAD_SHARE * live:
        found = f"{dead:,} dead rows beside {live:,}: searches come upon them and find fewer of the others"
        mend = f"VACUUM (ANALYZE) {name['table']};"
        yield Finding("dead rows", "problem", table.full_name, found, mend)
    elif modified > _LEAST_ROWS + (_DEAD_SHARE * live if is_analysed else 0):
        found = "PostgreSQL chooses plans by statistics that are missing or old"
        yield Finding("statistics", "note", table.full_name, found, f"ANALYZE {name['table']};")


def _unindexed(
    connection: psycopg.Connection[Any], table: VectorTable, indexes: Sequence[VectorIndex], size_bytes: int
) -> Iterator[Finding]:
    share = min(100.0, 100 * _COUNTED_BYTES / max(size_bytes, 1))
    sample = sql.SQL("" if share == 100 else " TABLESAMPLE SYSTEM ({})").format(sql.Literal(share))
    vector = sql.Identifier(table.vector_column)
    statement = sql.SQL(_UNINDEXED).format(vector=vector, table=table.qualified, sample=sample)
    rows, empty, zero = connection.execute(statement).fetchone() or (0, 0, 0)
    counts = [("no vector", empty, "{} IS NULL", "have no vector, and no search finds them")]
    if any(index.metric == "cosine" for index in indexes):
        is_zero = "vector_norm({}::vector) = 0"
        counts.append(("zero vector", zero, is_zero, "have a zero vector: cosine compares it with nothing"))
    for kind, count, condition, what in counts:
        if count:
            number, total = (f"{round(one * 100 / share):,}" for one in (count, rows))
            found = f"{'' if share == 100 else 'about '}{number} of {total} rows {what}"
            where = sql.SQL(condition).format(vector)
            delete = sql.SQL("DELETE FROM {} WHERE {};").format(table.qualified, where)
            mend = f"{delete.as_string(connection)} -- or load their vectors"
            yield Finding(kind, "problem", table.full_name, found, mend)


def _tuning(
    table: VectorTable, indexes: Sequence[VectorIndex], settings: Sequence[SearchSetting]
) -> Iterator[Finding]:
    tuned = {(one.metric, one.index_key) for one in settings if not one.filter}
    for index in indexes:
        if index.is_searchable and index.method == "hnsw" and (index.metric, index.key) not in tuned:
            found = "nobody knows its recall: it was never measured"
            yield Finding("not tuned", "note", index.name, found, _tune_command(table, index))


def _drifts(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    indexes: Sequence[VectorIndex],
    settings: Sequence[SearchSetting],
    rows: int,
    queries: int,
    on_recall: Callable[[SearchSetting], None],
) -> Iterator[Finding]:
    for one in settings:
        index = next(
            (i for i in indexes if i.is_searchable and (i.metric, i.key) == (one.metric, one.index_key)), None
        )
        filters = _filters(one)
        if index is None or filters is None or not rows:
            continue
        least = one.target_recall - _RECALL_SLACK
        for size in (queries, _SECOND_SAMPLE * queries):
            on_recall(one)
            recall = _recall(connection, table, one, filters, size)
            if recall >= least:
                break
        mend = _tune_command(table, index, one)
        about = f"{index.name}{f' where {one.filter}' if one.filter else ''}"
        if recall < least:
            found = f"recall@{one.k} was {one.recall:.3f} and is {recall:.3f}, below {one.target_recall:g}"
            yield Finding("recall", "problem", about, found, mend)
        elif not one.table_rows / _GROWTH <= rows <= one.table_rows * _GROWTH:
            found = f"recall was measured with {one.table_rows:,} rows, and there are {rows:,}"
            yield Finding("recall", "note", about, found, mend)


def _filters(setting: SearchSetting) -> tuple[Filter, ...] | None:
    """Return the filters of `setting`, or None where a value with "and" in it hides where one ends."""
    for texts in ([setting.filter], setting.filter.split(" and ")):
        try:
            found = parse_filters([text for text in texts if text])
        except UsageError:
            continue
        if (filters_shape(found), filters_text(found)) == (setting.filter_shape, setting.filter):
            return found
    return None


def _recall(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    setting: SearchSetting,
    filters: tuple[Filter, ...],
    queries: int,
) -> float:
    through = setting.index_key if setting.index_key != "other" else None
    options = SearchOptions(setting.metric, setting.ef_search, through)
    probe = RecallProbe(connection, table, options, k=setting.k, filters=filters, queries=queries)
    return probe.measure(options).recall


def _tune_command(table: VectorTable, index: VectorIndex, setting: SearchSetting | None = None) -> str:
    words = ["--metric", index.metric or "cosine", "--first-pass", index.key]
    if setting:
        words += ["--recall", f"{setting.target_recall:g}", "-k", str(setting.k)]
        for one in _filters(setting) or ():
            words += ["--where", one.text]
    return _command("tune", table, *words)


def _command(name: str, table: VectorTable, *words: str) -> str:
    return shlex.join(["vectorops", "index", name, table.full_name, *words])


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string(None)
