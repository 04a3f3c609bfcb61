from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from tests.integration.recommender.data_lake import TABLE, Lake, rating_rows, training_table
from vectorops.errors import AwsError, InputDataError
from vectorops.recommender.training_table import LOCATION_KEY, read_training_table


def read(lake: Lake) -> pa.Table:
    return read_training_table(lake.glue, lake.s3, lake.database, TABLE)


def sorted_rows(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.select(sorted(table.column_names)).to_pylist()
    return sorted(rows, key=lambda row: (row["customerNumber"], row["productCode"]))


def write_partitioned(lake: Lake, table: pa.Table, folder: str = "") -> None:
    """Write one file and one catalog entry per customer, as the ETL job does."""
    folders = {}
    for number in table.column("customerNumber").unique().to_pylist():
        part = table.filter(pa.compute.equal(table.column("customerNumber"), number))
        folders[str(number)] = f"{folder}customerNumber={number}/"
        lake.put_parquet(f"{folders[str(number)]}part-0.parquet", part.drop_columns("customerNumber"))
    lake.create_partitions(folders)


def test_a_table_without_partitions_is_read_as_it_is(lake: Lake) -> None:
    table = training_table()
    lake.create_table()
    lake.put_parquet("part-0.parquet", table.slice(0, 20))
    lake.put_parquet("part-1.parquet", table.slice(20))
    assert sorted_rows(read(lake)) == sorted_rows(table)


def test_partition_values_are_columns_again_under_the_names_of_the_contract(lake: Lake) -> None:
    # 130 partitions: more than the catalog gives in one page.
    table = training_table(customers=130)
    lake.create_table({"customernumber": "int"})
    write_partitioned(lake, table)
    found = read(lake)
    assert sorted_rows(found) == sorted_rows(table)
    assert found.schema.field("customerNumber").type == pa.int64()


def test_the_catalog_decides_where_the_rows_are(lake: Lake) -> None:
    lake.create_table({"country": "string"})
    lake.put_parquet("old/part-0.parquet", training_table())
    lake.put_parquet("new/part-0.parquet", training_table(customers=3).drop_columns("country"))
    lake.create_partitions({"Norway": "new/"})
    assert sorted_rows(read(lake)) == sorted_rows(training_table(customers=3))


def test_the_table_carries_its_location(lake: Lake) -> None:
    lake.create_table()
    lake.put_parquet("part-0.parquet", training_table())
    assert read(lake).schema.metadata == {LOCATION_KEY: lake.location().encode()}


def test_a_partition_without_value_is_null(lake: Lake) -> None:
    lake.create_table({"state": "string"})
    lake.put_parquet("state=x/part-0.parquet", training_table().drop_columns("state"))
    lake.create_partitions({"__HIVE_DEFAULT_PARTITION__": "state=x/"})
    assert sorted_rows(read(lake)) == sorted_rows(training_table())


def test_what_a_job_has_not_finished_is_not_data(lake: Lake) -> None:
    lake.create_table()
    lake.put_parquet("part-0.parquet", training_table())
    lake.put_parquet("_temporary/0/part-9.parquet", training_table())
    lake.s3.put_object(Bucket=lake.bucket, Key=f"{TABLE}/_SUCCESS", Body=b"")
    assert read(lake).num_rows == len(rating_rows())


def test_a_folder_whose_name_only_begins_alike_is_not_read(lake: Lake) -> None:
    lake.create_table()
    lake.put_parquet("part-0.parquet", training_table())
    lake.s3.put_object(Bucket=lake.bucket, Key=f"{TABLE}_old/part-0.parquet", Body=b"no Parquet")
    assert read(lake).num_rows == len(rating_rows())


def test_a_table_that_is_not_in_the_catalog_says_which_command_makes_it(lake: Lake) -> None:
    with pytest.raises(InputDataError, match=f"no table '{lake.database}.{TABLE}'") as caught:
        read(lake)
    assert "vectorops glue-run" in caught.value.hint


@pytest.mark.parametrize("keys", [None, {"customernumber": "int"}])
def test_a_table_without_files_says_which_command_fills_it(lake: Lake, keys: dict[str, str] | None) -> None:
    lake.create_table(keys)
    with pytest.raises(InputDataError, match="has no files") as caught:
        read(lake)
    assert "vectorops glue-run" in caught.value.hint


def test_a_file_that_is_not_parquet_is_named(lake: Lake) -> None:
    lake.create_table()
    lake.s3.put_object(Bucket=lake.bucket, Key=f"{TABLE}/part-0.parquet", Body=b"id,embedding\n")
    with pytest.raises(
        InputDataError, match=rf"s3://{lake.bucket}/{TABLE}/part-0\.parquet is not a Parquet file"
    ):
        read(lake)


def test_files_of_different_schemas_are_refused(lake: Lake) -> None:
    lake.create_table()
    lake.put_parquet("part-0.parquet", training_table())
    lake.put_parquet("part-1.parquet", pa.table({"city": [5]}))
    with pytest.raises(InputDataError, match="do not fit together"):
        read(lake)


def test_a_bucket_that_is_not_there_is_an_aws_error(lake: Lake) -> None:
    replace(lake, bucket="no-such-bucket").create_table()
    with pytest.raises(AwsError, match="NoSuchBucket"):
        read(lake)


def test_a_read_between_two_copies_of_the_table_is_refused(lake: Lake) -> None:
    lake = replace(lake, parameters={"vectorops.snapshots": "two,one", "vectorops.rows": "60"})
    lake.create_table({"customernumber": "int"})
    write_partitioned(lake, training_table(), folder="one/")
    assert read(lake).num_rows == 60
    lake.glue.update_table(
        DatabaseName=lake.database,
        TableInput={
            "Name": TABLE,
            "StorageDescriptor": {"Location": lake.location("two/")},
            "PartitionKeys": [{"Name": "customernumber", "Type": "int"}],
            "Parameters": lake.parameters,
        },
    )
    with pytest.raises(AwsError, match="of two copies") as caught:
        read(lake)
    assert "try again" in caught.value.hint


def test_a_copy_that_is_being_deleted_is_refused(lake: Lake) -> None:
    lake = replace(lake, parameters={"vectorops.snapshots": "one", "vectorops.rows": "60"})
    lake.create_table({"customernumber": "int"})
    write_partitioned(lake, training_table())
    lake.s3.delete_object(Bucket=lake.bucket, Key=f"{TABLE}/customerNumber=103/part-0.parquet")
    with pytest.raises(AwsError, match="55 rows were read, and the catalog says 60"):
        read(lake)
