"""What an index takes, predicted and counted, and which one is proposed."""

import re
from typing import Any

import numpy as np
import psycopg
import pytest

from tests.integration.database.vector_samples import FilledTable, clustered_vectors
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.database.index_build import BuildSettings, build_index
from vectorops.database.index_memory import graph_bytes, index_bytes, rule_of_thumb_bytes
from vectorops.database.index_plan import IndexPlan, Wishes, default_parameters, plan_index
from vectorops.database.index_sample import expected_seconds
from vectorops.database.index_spec import IndexSpec, IndexType
from vectorops.database.indexes import vector_indexes
from vectorops.database.machine import Machine
from vectorops.database.tables import VectorTable, vector_table
from vectorops.errors import UsageError

Connection = psycopg.Connection[Any]
GIB = 2**30
LARGE = Machine(64 * GIB, 4, "a large machine")


@pytest.mark.parametrize("m", [8, 24])
@pytest.mark.parametrize("type_", ["vector", "halfvec", "bit"])
def test_memory_and_size_are_what_postgresql_counts(
    vector_database: Connection,
    database_address: DatabaseAddress,
    fill: FilledTable,
    type_: IndexType,
    m: int,
) -> None:
    vectors = clustered_vectors(3_000, 200)
    table = fill(vectors)
    spec = IndexSpec(type_, "cosine", m=m)
    memory = 2**20
    with connect(database_address) as watcher:
        report = build_index(vector_database, watcher, table, spec, BuildSettings(memory, 0), keep=True)
    [warning] = report.warnings
    fitting = int(re.search(r"after (\d+) tuples", warning)[1])  # type: ignore[index]
    assert graph_bytes(fitting, 200, type_, m) == pytest.approx(memory, rel=0.05)
    [size] = [one.size_bytes for one in vector_indexes(vector_database, table) if one.name == report.index]
    assert index_bytes(3_000, 200, type_, m) == pytest.approx(size, rel=0.05)


def test_the_rule_of_thumb_is_the_one_of_the_issue() -> None:
    assert rule_of_thumb_bytes(1_000_000, 1_536, "vector") == 1_000_000 * (8 + 4 * 1_536) * 1.3


def test_a_build_on_ten_times_the_rows_takes_more_than_ten_times_as_long() -> None:
    assert 10 < expected_seconds(1.0, 10_000, 100_000) < 15
    assert expected_seconds(1.0, 10_000, 10_000) == 1.0
    assert expected_seconds(0.01, 1, 1) == 0.01


def planned(connection: Connection, table: VectorTable, machine: Machine, **wishes: Any) -> IndexPlan:
    return plan_index(connection, table, machine, Wishes(**wishes), sample_rows=0)


def test_the_plan_times_each_type_on_a_sample_and_leaves_nothing(
    vector_database: Connection, fill: FilledTable
) -> None:
    table = fill(clustered_vectors(3_000, 300))
    before = relations(vector_database)
    memory = vector_database.execute("SHOW maintenance_work_mem").fetchone()
    tried: list[IndexType] = []
    plan = plan_index(vector_database, table, LARGE, sample_rows=1_000, on_sample=tried.append)
    assert tried == ["halfvec", "vector", "bit"]
    assert 500 <= plan.sample_rows <= 1_000
    assert all(one.expected_s and one.expected_s > 0 for one in plan.types)
    assert plan.expected_s == plan.types[0].expected_s
    assert relations(vector_database) == before
    assert vector_database.execute("SHOW maintenance_work_mem").fetchone() == memory


def test_a_sample_has_rows_however_few_blocks_there_are(
    vector_database: Connection, fill: FilledTable
) -> None:
    """A block is chosen with a chance of 1.5 %, and there is one."""
    table = fill(clustered_vectors(100, 4))
    assert plan_index(vector_database, table, LARGE, sample_rows=1).sample_rows == 1


def relations(connection: Connection) -> Any:
    return connection.execute("SELECT oid, relname FROM pg_class ORDER BY oid").fetchall()


def test_a_table_that_fits_gets_a_halfvec_and_the_command_that_builds_it(
    vector_database: Connection, fill: FilledTable
) -> None:
    table = fill(clustered_vectors(500, 300), name="my items")
    plan = planned(vector_database, table, LARGE)
    assert plan.fits
    assert plan.proposed == IndexSpec("halfvec", "cosine", 16, 64)
    assert plan.settings == BuildSettings(64 * 2**20, workers=3)
    assert plan.command == (
        "vectorops index build 'public.my items' --type halfvec --metric cosine --m 16 --ef-construction 64"
        " --memory 64MB --workers 3"
    )


def test_few_dimensions_are_indexed_as_they_are(vector_database: Connection, fill: FilledTable) -> None:
    plan = planned(vector_database, fill(clustered_vectors(2_000, 32)), LARGE)
    assert plan.proposed.type == "vector"


@pytest.mark.parametrize(
    ("mib", "type_", "fits"), [(200, "halfvec", True), (2, "bit", True), (0.05, "bit", False)]
)
def test_the_type_follows_from_the_memory(
    vector_database: Connection, fill: FilledTable, mib: float, type_: IndexType, fits: bool
) -> None:
    table = fill(clustered_vectors(500, 1_024))
    plan = planned(vector_database, table, Machine(int(mib * 2**20), 2, "a small machine"))
    assert (plan.proposed.type, plan.fits) == (type_, fits)
    assert plan.settings.maintenance_bytes <= plan.build_memory_bytes
    if not fits:
        assert "take a larger instance" in plan.reasons[0]


def test_a_large_graph_gets_more_neighbours() -> None:
    assert default_parameters(1_000_000) == (16, 64)
    assert default_parameters(1_000_001) == (24, 128)


def test_what_is_chosen_already_stays(vector_database: Connection, fill: FilledTable) -> None:
    table = fill(clustered_vectors(100, 32), metric="l2")
    plan = planned(
        vector_database, table, LARGE, type="halfvec", m=40, maintenance_bytes=200 * 2**20, workers=1
    )
    assert plan.proposed == IndexSpec("halfvec", "l2", 40, 80)
    assert plan.settings == BuildSettings(200 * 2**20, 1)
    assert planned(vector_database, table, LARGE, metric="cosine", ef_construction=200).proposed == IndexSpec(
        "vector", "cosine", 16, 200
    )


def test_types_that_cannot_be_are_shown_with_the_reason(
    vector_database: Connection, fill: FilledTable
) -> None:
    plan = planned(vector_database, fill(clustered_vectors(20, 2_500), metric="l2"), LARGE)
    assert plan.proposed.type == "halfvec"
    obstacles = {one.type: one.obstacle for one in plan.types if one.obstacle}
    assert "cannot hold 2500 dimensions" in obstacles["vector"]
    assert "bits cannot serve l2" in obstacles["bit"]


def test_numbers_too_large_for_a_halfvec_are_found_by_the_sample(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(50, 300)
    vectors[7, 0] = 70_000
    table = fill(vectors.astype(np.float32))
    plan = plan_index(vector_database, table, LARGE, sample_rows=1_000)
    assert "out of range for type halfvec" in plan.types[0].obstacle
    assert plan.proposed.type == "vector"


def test_a_table_no_index_can_hold_is_refused(vector_database: Connection, fill: FilledTable) -> None:
    vector_database.execute("CREATE TABLE free (id int PRIMARY KEY, v vector)")
    with pytest.raises(UsageError, match="have no fixed dimension"):
        planned(vector_database, vector_table(vector_database, "free"), LARGE)
    table = fill(clustered_vectors(5, 4_500), name="wide", metric="l2")
    with pytest.raises(UsageError, match="cannot hold 4500 dimensions"):
        planned(vector_database, table, LARGE, metric="l2")
    with pytest.raises(UsageError, match="an index of bits cannot serve l2"):
        planned(vector_database, fill(clustered_vectors(5, 4), metric="l2"), LARGE, type="bit")


def test_an_empty_table_has_a_plan(vector_database: Connection, fill: FilledTable) -> None:
    plan = plan_index(vector_database, fill(clustered_vectors(1, 8)[:0]), LARGE)
    assert (plan.rows, plan.sample_rows, plan.expected_s) == (0, 0, None)
