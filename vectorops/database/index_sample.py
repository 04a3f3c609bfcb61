"""How long an index build takes, from one on a sample of the table's rows."""

import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import errors, sql

from vectorops.database.connection import database_errors, first_line
from vectorops.database.index_build import BuildSettings, build_session
from vectorops.database.index_spec import IndexSpec, IndexType
from vectorops.database.tables import VectorTable

# Blocks are chosen, not rows, so that little of a large table is read; more than needed, as blocks differ.
_SURPLUS = 1.5
_SAMPLE = """CREATE UNLOGGED TABLE {sample} AS SELECT {vector} FROM {table}
TABLESAMPLE SYSTEM ({percent}) WHERE {vector} IS NOT NULL LIMIT {rows}"""


@dataclass(frozen=True)
class SampleBuilds:
    """What came of building on a sample.

    Attributes:
        rows: Of the sample.
        took: For each type the seconds, or why PostgreSQL refused.
    """

    rows: int
    took: Mapping[IndexType, float | str]


NO_SAMPLE = SampleBuilds(0, {})


def sample_builds(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    specs: Sequence[IndexSpec],
    settings: BuildSettings,
    *,
    table_rows: int,
    rows: int,
    on_build: Callable[[IndexType], None] = lambda _: None,
) -> SampleBuilds:
    """Build each of `specs` on a sample, and roll everything back.

    Args:
        connection: Autocommit connection, outside a transaction.
        table: From `vector_table`.
        specs: Indexes to try.
        settings: As for the build itself.
        table_rows: Rows of the table.
        rows: Rows of the sample, at most.
        on_build: Called before each.

    Raises:
        DatabaseError: PostgreSQL refused to make the sample.
    """
    took: dict[IndexType, float | str] = {}
    with (
        database_errors(f"cannot build an index on a sample of '{table.full_name}'"),
        build_session(connection, settings),
        connection.transaction(force_rollback=True),
    ):
        share = min(1.0, _SURPLUS * rows / max(table_rows, 1))
        sample, sampled = _make_sample(connection, table, share, rows)
        if not sampled:  # Of few blocks chance may choose none.
            sample, sampled = _make_sample(connection, table, 1.0, rows)
        for spec in specs:
            on_build(spec.type)
            took[spec.type] = _build(connection, sample, spec)
    return SampleBuilds(sampled, took)


def expected_seconds(sample_s: float, sample_rows: int, rows: int) -> float:
    """Return how long a build on `rows` takes when one on `sample_rows` took `sample_s`.

    A row's place in the graph is found in steps that grow with the logarithm of the rows (Malkov, Yashunin:
    "Efficient and robust approximate nearest neighbor search using HNSW graphs", section 4.2.2), as long as
    the graph fits into maintenance_work_mem.
    """
    if sample_rows < 2 or rows < 2:
        return sample_s
    return sample_s * (rows * math.log(rows)) / (sample_rows * math.log(sample_rows))


def _make_sample(
    connection: psycopg.Connection[Any], table: VectorTable, share: float, rows: int
) -> tuple[VectorTable, int]:
    """Return a new table with up to `rows` rows from a share of the blocks of `table`, and how many."""
    sample = replace(table, name=f"vectorops_sample_{secrets.token_hex(6)}")
    statement = sql.SQL(_SAMPLE).format(
        sample=sample.qualified,
        vector=sql.Identifier(table.vector_column),
        table=table.qualified,
        percent=sql.Literal(100 * share),
        rows=sql.Literal(rows),
    )
    return sample, connection.execute(statement).rowcount


def _build(connection: psycopg.Connection[Any], sample: VectorTable, spec: IndexSpec) -> float | str:
    started = time.monotonic()
    try:
        with connection.transaction():
            connection.execute(sql.SQL("CREATE INDEX ON {}").format(spec.definition(sample)))
    except errors.DataError as exc:  # Such as a number that is too large for a halfvec.
        return first_line(exc)
    return time.monotonic() - started
