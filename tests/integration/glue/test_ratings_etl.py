"""The job on the real sample database: what comes out, again and again."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.integration.glue.etl import COLUMN_TYPES, Etl
from vectorops.source import init_source, read_dump, read_ratings

# The contract's join. Text without trailing blanks, as MySQL compares it.
JOIN = """
SELECT c."customerNumber", rtrim(city), rtrim(state), rtrim("postalCode"), rtrim(country), "creditLimit",
       rtrim(p."productCode"), rtrim("productLine"), rtrim("productScale"), "quantityInStock", "buyPrice",
       "MSRP", "productRating"
FROM ratings r JOIN customers c ON c."customerNumber" = r."customerNumber"
               JOIN products p ON p."productCode" = r."productCode"
"""


def joined(etl: Etl) -> list[tuple[object, ...]]:
    with etl.source() as connection:
        return sorted(connection.execute(JOIN).fetchall(), key=str)


@pytest.fixture(scope="module")
def filled(etl: Etl, real_data: Path) -> Etl:
    """The job's surroundings after its first run."""
    ratings = read_ratings(real_data / "ratings.csv")
    with etl.source() as connection:
        init_source(connection, read_dump(real_data / "mysqlsampledatabase.sql", ratings))
    metrics = etl.run_well()
    assert metrics["rows_read"] == {"customers": 122, "products": 110, "ratings": 2532}
    assert metrics["quality"] == {"null_keys": 0, "bad_ratings": 0, "orphans": 0, "duplicates": 0}
    assert metrics["rows_written"] == 2532
    assert metrics["partitions"] == metrics["files"] == 98
    assert metrics["bytes"] == sum(etl.sizes())
    return etl


def test_the_training_data_equals_the_join_on_the_source(filled: Etl) -> None:
    rows = filled.read()
    assert len(rows) == 2532
    assert rows == joined(filled)
    places = {(row[1], row[2], row[4]) for row in rows}
    assert ("Luleå", None, "Sweden") in places  # accents, and states that are null
    assert ("Bergen", None, "Norway") in places  # 'Norway  ' in the source


def test_files_and_catalog_have_the_columns_of_the_contract(filled: Etl) -> None:
    key = filled.keys()[0]
    inside = filled._file(key)
    assert inside.column_names == [name for name in COLUMN_TYPES if name != "customerNumber"]
    table = filled.table()
    assert [(key["Name"], key["Type"]) for key in table["PartitionKeys"]] == [("customernumber", "int")]
    columns = {entry["Name"]: entry["Type"] for entry in table["StorageDescriptor"]["Columns"]}
    assert columns == {n.lower(): t for n, t in COLUMN_TYPES.items() if n != "customerNumber"}


def test_each_partition_is_one_folder_with_one_file(filled: Etl) -> None:
    partitions = filled.partitions()
    assert set(partitions) == {(str(row[0]),) for row in filled.read()}
    for (number,), location in partitions.items():
        assert location.endswith(f"/customerNumber={number}/")
        assert len(filled.keys(location)) == 1


def test_running_again_leaves_the_same_rows_and_not_twice_as_many(filled: Etl) -> None:
    before = filled.read()
    counts, ended, grace_s = set(), threading.Event(), 4

    def count_rows() -> int:
        return len(filled.read())

    def look() -> None:
        while not ended.is_set():
            for count in (count_rows, filled.read_location):
                began = time.monotonic()
                with suppress(ClientError):  # the superseded files are gone: that took too long
                    found = count()
                    if time.monotonic() - began < grace_s:
                        counts.add(found)

    reader = threading.Thread(target=look)
    reader.start()
    metrics = filled.run_well(grace_seconds=str(grace_s))
    ended.set()
    reader.join()
    assert filled.read() == before
    assert metrics["rows_written"] == 2532
    # On a machine so busy that no look is quick enough, none of them counts.
    assert counts <= {2532}, "a reader saw something else than the whole table"
    assert len(filled.keys()) == 98, "files of the superseded run are still there"


def test_updates_and_deletes_in_the_source_appear(filled: Etl) -> None:
    with filled.source() as connection:
        connection.execute("""UPDATE customers SET city = 'Ålesund' WHERE "customerNumber" = 103""")
        connection.execute("""UPDATE ratings SET "productRating" = 5 WHERE "customerNumber" = 103""")
        connection.execute("""DELETE FROM ratings WHERE "customerNumber" = 112""")
        connection.execute("""INSERT INTO ratings VALUES (125, 'S10_1678', 4)""")
    filled.run_well(keep_snapshots="1")
    rows = filled.read()
    assert rows == joined(filled)
    assert {(row[1], row[-1]) for row in rows if row[0] == 103} == {("Ålesund", 5)}
    assert {("112",), ("125",)} & set(filled.partitions()) == {("125",)}
    named = filled.table()["Parameters"]["vectorops.snapshots"].split(",")
    assert len(named) == 2
    assert len(filled.keys(f"{filled.data_lake_path}{named[1]}/")) == 98, "the kept snapshot is not whole"
