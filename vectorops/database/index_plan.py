"""Which index suits a table and its server, what it takes, and how long."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from vectorops.database.connection import database_errors
from vectorops.database.index_build import BuildSettings, check_workers
from vectorops.database.index_memory import graph_bytes, index_bytes, rule_of_thumb_bytes
from vectorops.database.index_sample import NO_SAMPLE, SampleBuilds, expected_seconds, sample_builds
from vectorops.database.index_spec import DEFAULT_EF_CONSTRUCTION, DEFAULT_M, IndexSpec, IndexType
from vectorops.database.indexes import IndexKey, VectorIndex
from vectorops.database.inspection import parallel_build_fault, server_versions, table_state
from vectorops.database.machine import Machine
from vectorops.database.metrics import MetricName
from vectorops.database.search_catalogue import read_catalogue
from vectorops.database.tables import VectorTable
from vectorops.errors import UsageError

SAMPLE_ROWS = 10_000

_MIB = 2**20
_LEAST_MEMORY = 64 * _MIB  # The server's own default.
# The estimate is within 2 %; a graph that just does not fit costs far more than this.
_MARGIN = 1.1
# Signs alone tell rows apart only where there are many of them (benchmarks/search.py measures 384).
_LEAST_BIT_DIMENSION = 256
# An index of halfvec that is hardly smaller, as with few dimensions, is not worth ranking twice.
_WORTHWHILE = 0.8
_TYPES: tuple[IndexType, ...] = ("halfvec", "vector", "bit")
# A larger graph needs more neighbours to be as well connected. A rule of thumb: `index tune` measures it.
_LARGE_ROWS, _LARGE_M, _LARGE_EF_CONSTRUCTION = 1_000_000, 24, 128

_SERVER = """
SELECT current_setting('max_worker_processes')::int, current_setting('max_parallel_maintenance_workers')::int
"""


@dataclass(frozen=True)
class TypePlan:
    """What an index of one type takes.

    Attributes:
        rule_of_thumb_bytes: rows x (8 + bytes of the numbers) x 1.3, see `index_memory`.
        graph_bytes: Memory that the build takes.
        index_bytes: Size afterwards, which searches want to find in memory.
        expected_s: How long the build takes, or None without a sample.
        fits_build: Whether the graph fits into the memory a build may take.
        fits_search: Whether the index fits into the memory that PostgreSQL and the system keep pages in.
        obstacle: Why there can be no such index, or "".
    """

    type: IndexType
    rule_of_thumb_bytes: int
    graph_bytes: int
    index_bytes: int
    expected_s: float | None
    fits_build: bool
    fits_search: bool
    obstacle: str = ""

    @property
    def fits(self) -> bool:
        """Whether it can be built and searched in memory."""
        return not self.obstacle and self.fits_build and self.fits_search


@dataclass(frozen=True)
class IndexPlan:
    """What to build.

    Attributes:
        table: With its schema.
        build_memory_bytes: What a build may take of the machine's memory.
        search_memory_bytes: What an index may take of it.
        types: Every type, the preferred first.
        sample_rows: Rows of the sample that was built, 0 without one.
        proposed: The index to build.
        settings: What to build it with.
        fits: Whether it can be built and searched in memory.
        expected_s: How long that takes, or None without a sample.
        reasons: Why this one.
        command: Builds it.
    """

    table: str
    rows: int
    dimension: int | None
    machine: Machine
    build_memory_bytes: int
    search_memory_bytes: int
    types: list[TypePlan]
    sample_rows: int
    proposed: IndexSpec
    settings: BuildSettings
    fits: bool
    expected_s: float | None
    reasons: list[str]
    command: str


@dataclass(frozen=True)
class Wishes:
    """What the user has chosen already; None leaves it to the plan."""

    type: IndexType | None = None
    metric: MetricName | None = None
    m: int | None = None
    ef_construction: int | None = None
    maintenance_bytes: int | None = None
    workers: int | None = None


def plan_index(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    machine: Machine,
    wishes: Wishes | None = None,
    *,
    sample_rows: int = SAMPLE_ROWS,
    on_sample: Callable[[IndexType], None] = lambda _: None,
) -> IndexPlan:
    """Return the index to build on `table`, and what each type would take.

    A build may take half of the memory: RDS gives a quarter to shared_buffers, and a quarter is left to
    connections and the system. An index may take half of it, which is what RDS tells PostgreSQL to expect of
    all caches (effective_cache_size in its default parameter groups).

    Args:
        connection: Autocommit connection, outside a transaction.
        table: From `vector_table`.
        machine: The server's.
        wishes: What is chosen already.
        sample_rows: Rows of the sample whose build is timed; 0 builds none.
        on_sample: Called before each build on the sample.

    Raises:
        UsageError: There can be no such index, or it cannot be built so.
        DatabaseError: PostgreSQL refused.
    """
    wishes = wishes or Wishes()
    with database_errors(f"cannot plan an index of '{table.full_name}'"):
        metric = read_catalogue(connection, table).metric(wishes.metric, None).name
        rows = table_state(connection, table).rows
        room = _room(connection, machine)
        check_workers(connection, wishes.workers or 0)  # The sample is built with them, too.
    specs = {one: _spec(one, metric, rows, wishes) for one in _TYPES}
    obstacles = {one: _obstacle(spec, table) for one, spec in specs.items()}
    if all(obstacles.values()) or wishes.type:
        specs[wishes.type or "halfvec"].check(table)
    buildable = [spec for one, spec in specs.items() if not obstacles[one]]
    sample = NO_SAMPLE
    if sample_rows and rows:
        settings = _sample_settings(buildable, table, sample_rows, wishes, room)
        sample = sample_builds(
            connection, table, buildable, settings, table_rows=rows, rows=sample_rows, on_build=on_sample
        )
    types = [_type_plan(spec, table, rows, room, sample, obstacles[one]) for one, spec in specs.items()]
    chosen, reasons = _choose(types, wishes, table)
    settings = _settings(chosen, wishes, room)
    return IndexPlan(
        table=table.full_name,
        rows=rows,
        dimension=table.dimension,
        machine=machine,
        build_memory_bytes=room.build_bytes,
        search_memory_bytes=room.search_bytes,
        types=types,
        sample_rows=sample.rows,
        proposed=specs[chosen.type],
        settings=settings,
        fits=chosen.fits and settings.maintenance_bytes >= chosen.graph_bytes,
        expected_s=chosen.expected_s,
        reasons=[*reasons, *room.reasons],
        command=build_command(table, specs[chosen.type], settings),
    )


def rebuild_settings(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    indexes: Sequence[VectorIndex],
    machine: Machine,
    rows: int,
) -> BuildSettings:
    """Return what building `indexes` anew, one after the other, may use.

    Args:
        connection: An open connection.
        table: Whose they are.
        indexes: From `vector_indexes`.
        machine: The server's.
        rows: That the table will have.
    """
    room = _room(connection, machine)
    types: dict[IndexKey, IndexType] = {"halfvec": "halfvec", "bit": "bit"}
    most = max(
        (
            graph_bytes(rows, table.dimension or 0, types.get(one.key, "vector"), one.options.get("m", 0))
            for one in indexes
        ),
        default=0,
    )
    return BuildSettings(min(_with_margin(most), room.build_bytes), room.workers)


def build_command(table: VectorTable, spec: IndexSpec, settings: BuildSettings) -> str:
    """Return the command that builds `spec` on `table`."""
    words = ["vectorops", "index", "build", table.full_name, "--type", spec.type, "--metric", spec.metric]
    words += ["--m", str(spec.m), "--ef-construction", str(spec.ef_construction)]
    words += ["--memory", f"{settings.maintenance_bytes // _MIB}MB", "--workers", str(settings.workers)]
    return shlex.join(words)


def default_parameters(rows: int) -> tuple[int, int]:
    """Return m and ef_construction for so many rows."""
    if rows > _LARGE_ROWS:
        return _LARGE_M, _LARGE_EF_CONSTRUCTION
    return DEFAULT_M, DEFAULT_EF_CONSTRUCTION


@dataclass(frozen=True)
class _Room:
    """What of a machine a build and an index may take, and what to say of it."""

    build_bytes: int
    search_bytes: int
    workers: int
    reasons: tuple[str, ...]


def _room(connection: psycopg.Connection[Any], machine: Machine) -> _Room:
    processes, workers = connection.execute(_SERVER).fetchone() or (0, 0)
    if machine.cpus:  # With the process that leads; but never fewer than the server would take by itself.
        workers = min(max(machine.cpus - 1, workers), processes - 1)
    fault = parallel_build_fault(server_versions(connection).pgvector or "")
    return _Room(
        build_bytes=max(machine.memory_bytes // 2, _LEAST_MEMORY),
        search_bytes=machine.memory_bytes // 2,
        workers=0 if fault else max(0, workers),
        reasons=(f"no parallel workers: {fault}",) if fault else (),
    )


def _spec(type_: IndexType, metric: MetricName, rows: int, wishes: Wishes) -> IndexSpec:
    m, ef_construction = default_parameters(rows)
    m = wishes.m or m
    return IndexSpec(type_, metric, m, wishes.ef_construction or max(ef_construction, 2 * m))


def _obstacle(spec: IndexSpec, table: VectorTable) -> str:
    try:
        spec.check(table)
    except UsageError as exc:
        return str(exc)
    return ""


def _sample_settings(
    specs: Sequence[IndexSpec], table: VectorTable, rows: int, wishes: Wishes, room: _Room
) -> BuildSettings:
    # Workers share all of the memory they are given from the start, so it is no more than the sample needs.
    most = max(graph_bytes(rows, table.dimension or 0, spec.type, spec.m) for spec in specs)
    return BuildSettings(_with_margin(most), room.workers if wishes.workers is None else wishes.workers)


def _type_plan(
    spec: IndexSpec, table: VectorTable, rows: int, room: _Room, sample: SampleBuilds, obstacle: str
) -> TypePlan:
    dimension = table.dimension or 0
    graph = graph_bytes(rows, dimension, spec.type, spec.m)
    size = index_bytes(rows, dimension, spec.type, spec.m)
    took = sample.took.get(spec.type)
    return TypePlan(
        type=spec.type,
        rule_of_thumb_bytes=rule_of_thumb_bytes(rows, dimension, spec.type),
        graph_bytes=graph,
        index_bytes=size,
        expected_s=expected_seconds(took, sample.rows, rows) if isinstance(took, float) else None,
        fits_build=graph <= room.build_bytes,
        fits_search=size <= room.search_bytes,
        obstacle=took if isinstance(took, str) else obstacle,
    )


def _choose(types: Sequence[TypePlan], wishes: Wishes, table: VectorTable) -> tuple[TypePlan, list[str]]:
    by_type = {one.type: one for one in types}
    if wishes.type:
        return by_type[wishes.type], []
    halfvec, vector = by_type["halfvec"], by_type["vector"]
    order = [halfvec, vector]
    if not vector.obstacle and halfvec.index_bytes > _WORTHWHILE * vector.index_bytes:
        order = [vector, halfvec]
    if (table.dimension or 0) >= _LEAST_BIT_DIMENSION:
        order.append(by_type["bit"])
    possible = [one for one in order if not one.obstacle] or [one for one in types if not one.obstacle]
    if not possible:
        raise UsageError(f"no index can hold the vectors of '{table.full_name}'", why=halfvec.obstacle)
    fitting = [one for one in possible if one.fits]
    if not fitting:
        smallest = min(possible, key=lambda one: one.index_bytes)
        return smallest, ["no type fits into the memory: take a larger instance, or split the table"]
    return fitting[0], [_REASONS[fitting[0].type]]


_REASONS: dict[IndexType, str] = {
    "vector": "the vectors themselves: a halfvec would hardly be smaller, or cannot hold them",
    "halfvec": "halfvec: nearly half the size and quicker; what it finds is ranked by the full vectors",
    "bit": "bits: only they fit into the memory; what they find is ranked by the full vectors",
}


def _settings(chosen: TypePlan, wishes: Wishes, room: _Room) -> BuildSettings:
    memory = min(_with_margin(chosen.graph_bytes), room.build_bytes) // _MIB * _MIB
    workers = room.workers if wishes.workers is None else wishes.workers
    return BuildSettings(wishes.maintenance_bytes or memory, workers)


def _with_margin(size_bytes: int) -> int:
    return max(_LEAST_MEMORY, round(size_bytes * _MARGIN / _MIB + 1) * _MIB)
