"""Loads by several processes: the same result as by one, and every row once, whatever is repeated."""

import gzip
import secrets
from collections.abc import Sequence

import psycopg
import pytest

from tests.integration.embeddings.load_samples import Loader, counts, embeddings_csv
from tests.integration.embeddings.spread_loads import Spread
from vectorops.aws import Aws
from vectorops.database.connection import DatabaseAddress
from vectorops.embeddings.assignment import Assignment
from vectorops.embeddings.coordinator import OnWait
from vectorops.errors import DatabaseError, InputDataError

FILES = {
    "a.csv": 'id,embedding\na,"[1,2,3]"\nb,"[4,5,6]"\n',
    "b.csv": 'id,embedding\nc,"[7,8,9]"\n',
    "c.csv": 'id,embedding\nd,"[1,0,1]"\ne,"[0,1,0]"\n',
}
ROWS = {"a": [1, 2, 3], "b": [4, 5, 6], "c": [7, 8, 9], "d": [1, 0, 1], "e": [0, 1, 0]}


@pytest.fixture
def spread(loader: Loader, aws: Aws, database_address: DatabaseAddress) -> Spread:
    bucket = f"spread-{secrets.token_hex(4)}"
    aws.client("s3").create_bucket(Bucket=bucket)
    return Spread(loader, aws, database_address, bucket)


def put_all(spread: Spread) -> None:
    for name, content in FILES.items():
        spread.put(name, content)


def test_files_are_shared_out_and_load_as_by_one_process(spread: Spread) -> None:
    put_all(spread)
    spread.loader.connection.execute("INSERT INTO t VALUES ('a', '[0,0,0]'), ('b', '[4,5,6]')")
    report = spread.load()
    assert counts(report) == {"inserted": 3, "updated": 1, "unchanged": 1}
    assert spread.loader.rows() == ROWS
    assert report.bytes_read == sum(map(len, FILES.values()))
    assert [sorted(one.files) for one in spread.assignments] == [[0, 1], [2]]
    log = spread.loader.loads()[0]
    assert log.sources == [f"s3://{spread.bucket}/in/{name}" for name in FILES]
    assert (log.checksum, log.rows_inserted, log.bytes_read) == (None, 3, report.bytes_read)
    assert counts(spread.load()) == {"unchanged": 5}
    assert spread.schemas() == spread.keys() == []


def test_a_table_is_created_and_replaced(spread: Spread) -> None:
    put_all(spread)
    report = spread.load("public.new", create=True)
    assert report.created and counts(report) == {"inserted": 5}
    spread.put("a.csv", 'id,embedding\nz,"[9,9,9]"\n')
    report = spread.load("public.new", mode="replace")
    assert report.kept == "vectorops_kept_public.new"
    assert spread.loader.rows("new") == {"z": [9, 9, 9], "c": [7, 8, 9], "d": [1, 0, 1], "e": [0, 1, 0]}


def test_files_without_rows_are_passed_over(spread: Spread) -> None:
    put_all(spread)
    spread.put("b.csv", "id,embedding\n")
    report = spread.load()
    assert counts(report) == {"inserted": 4}
    assert report.empty_files == (f"s3://{spread.bucket}/in/b.csv",)
    for name in FILES:
        spread.put(name, "id,embedding\n")
    with pytest.raises(InputDataError, match="there is no row to replace"):
        spread.load(mode="replace")
    assert len(spread.loader.rows()) == 4


def test_rejects_of_all_files_are_one_object_in_their_order(spread: Spread) -> None:
    put_all(spread)
    spread.put("b.csv", 'id,embedding\nc,"[7,8]"\na,"[1,1,1]"\nf,"[7,8,nan]"\n')
    report = spread.load(on_error="reject")
    assert counts(report) == {"inserted": 4, "rejected": 3}
    assert spread.loader.rows() == {key: row for key, row in ROWS.items() if key != "c"}
    assert [line.split(",")[1] for line in spread.rejects()] == ["line", "2", "4", "3"]
    assert "is in s3://" in spread.rejects()[3]
    assert spread.keys() == ["loads/run/rejects.csv"]


def test_a_row_that_cannot_be_loaded_stops_the_load(spread: Spread) -> None:
    put_all(spread)
    spread.put("b.csv", 'id,embedding\nc,"[7,8,9]"\nd,"[7,8]"\nf,"[7,8]"\n')
    with pytest.raises(InputDataError, match=r"in/b\.csv line 3: the vector has 2 dimensions"):
        spread.load()
    assert spread.loader.rows() == {}
    assert spread.schemas() == spread.keys() == []


def test_a_damaged_file_stops_the_load_and_is_named(spread: Spread) -> None:
    put_all(spread)
    spread.put("b.csv", gzip.compress(embeddings_csv(50_000, 3).encode())[:-100])
    with pytest.raises(InputDataError, match=r"in/b\.csv is cut short"):
        spread.load(on_error="reject")
    assert spread.loader.rows() == {}


def test_a_worker_whose_connection_breaks_after_rows_were_copied_is_repeated(spread: Spread) -> None:
    spread.put("a.csv", embeddings_csv(20_000, 64))
    spread.loader.connection.execute("CREATE TABLE large (id varchar PRIMARY KEY, embedding vector(64))")

    def run(assignments: Sequence[Assignment], on_wait: OnWait) -> list[str]:
        with spread.held_worker(assignments[0]) as (worker, server):
            spread.loader.connection.execute("SELECT pg_terminate_backend(%s, 60000)", (server,))
            _, errors = worker.communicate()
        assert worker.returncode == 3, errors
        return spread.run_threads(assignments, on_wait)

    assert counts(spread.load("large", run=run)) == {"inserted": 20_000}
    assert len(spread.loader.rows("large")) == 20_000


def test_a_worker_that_is_killed_and_one_that_runs_twice_leave_each_row_once(spread: Spread) -> None:
    spread.put("a.csv", embeddings_csv(20_000, 64))
    spread.loader.connection.execute("CREATE TABLE large (id varchar PRIMARY KEY, embedding vector(64))")

    def run(assignments: Sequence[Assignment], on_wait: OnWait) -> list[str]:
        with spread.held_worker(assignments[0]) as (killed, _):
            killed.kill()
            killed.communicate()
        twins = [spread.start_worker(assignments[0]) for _ in range(2)]
        return [twin.communicate()[0] for twin in twins]

    assert counts(spread.load("large", run=run)) == {"inserted": 20_000}


def test_a_load_whose_workers_do_not_finish_changes_nothing(spread: Spread) -> None:
    put_all(spread)
    with pytest.raises(DatabaseError, match="3 of 3 files are not staged"):
        spread.load(run=lambda assignments, on_wait: [])
    assert spread.loader.rows() == {}


def test_what_a_killed_load_has_left_is_dropped_and_what_a_living_one_uses_is_kept(spread: Spread) -> None:
    put_all(spread)
    spread.loader.connection.execute("CREATE SCHEMA vectorops_spread_left CREATE TABLE vectorops_staged ()")

    def run(assignments: Sequence[Assignment], on_wait: OnWait) -> list[str]:
        living = assignments[0].schema
        assert spread.schemas() == [living]
        spread.load("other", create=True)
        assert spread.schemas() == [living]
        return spread.run_threads(assignments, on_wait)

    assert counts(spread.load(run=run)) == {"inserted": 5}
    assert spread.schemas() == []


def test_a_database_without_connections_to_spare_is_said_to_have_none(spread: Spread) -> None:
    put_all(spread)
    held = [psycopg.connect(spread.address.url()) for _ in range(90)]
    try:
        with pytest.raises(DatabaseError, match="no connection to spare"):
            spread.load()
    finally:
        for connection in held:
            connection.close()
