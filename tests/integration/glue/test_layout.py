"""How many files there are, and how large."""

from tests.integration.glue.etl import Etl
from vectorops.source import generate_sample, init_source

PAIRS = """
SELECT DISTINCT rtrim(country), "productScale"
FROM ratings JOIN customers USING ("customerNumber") JOIN products USING ("productCode")
"""


def test_no_partition_is_cut_into_small_files_as_by_the_job_that_wrote_one_per_task(etl: Etl) -> None:
    with etl.source() as connection:
        init_source(connection, generate_sample(customers=2_000, products=400, ratings=200_000))
        pairs = set(connection.execute(PAIRS).fetchall())
    small = etl.run_well(partition_by="country,productScale", max_partitions=str(len(pairs)))
    assert set(etl.partitions()) == pairs
    assert small["partitions"] == small["files"] == len(pairs)
    assert etl.read_location() == 200_000


def test_a_partition_above_the_target_size_is_cut_evenly_and_the_others_are_not(etl: Etl) -> None:
    with etl.source() as connection:
        init_source(connection, generate_sample(customers=2_000, products=400, ratings=200_000))
        connection.execute("UPDATE customers SET country = 'USA' WHERE country <> 'Spain'")
    etl.run_well(partition_by="country", target_file_mb="1")
    sizes = {country: etl.sizes(location) for (country,), location in etl.partitions().items()}
    assert set(sizes) == {"Spain", "USA"}
    assert len(sizes["Spain"]) == 1
    assert len(sizes["USA"]) == 2
    assert min(sizes["USA"]) > 0.8 * max(sizes["USA"])

    whole = etl.run_well(partition_by="none", target_file_mb="1")
    assert etl.partitions() == {}
    assert whole["files"] == 2
    assert min(etl.sizes()) > 0.5 * 2**20
