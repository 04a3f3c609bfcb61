"""How readers are led from one snapshot to the next, on real Glue and S3 APIs."""

import secrets
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from tests.integration.glue.etl import CATALOG_COLUMNS
from vectorops.aws import Aws


class Breaking:
    """A Glue client that breaks at its first call of one action, and notes how much it is given at once."""

    def __init__(self, glue: Any, action: str = "", error: type[BaseException] = RuntimeError) -> None:
        self._glue, self._action, self._error = glue, action, error
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> Any:
        action = getattr(self._glue, name)
        if name.startswith("batch_") or name == self._action:
            return lambda **arguments: self._call(name, action, arguments)
        return action

    def _call(self, name: str, action: Any, arguments: dict[str, Any]) -> Any:
        self.batches += [len(arguments[key]) for key in ("Entries", "PartitionInputList") if key in arguments]
        if name == self._action:
            self._action = ""
            raise self._error("broken on purpose")
        return action(**arguments)


@dataclass(frozen=True)
class Place:
    """A catalog table without partitions yet, and its data lake."""

    script: ModuleType
    aws: Aws
    name: str

    def table(self, glue: Any = None) -> Any:
        return self.script.CatalogTable(glue or self.aws.client("glue"), self.name, "ratings")

    def entry(self) -> dict[str, Any]:
        answer = self.aws.client("glue").get_table(DatabaseName=self.name, Name="ratings")
        found: dict[str, Any] = answer["Table"]
        return found

    def partitions(self) -> dict[str, str]:
        pages = self.aws.client("glue").get_paginator("get_partitions")
        found = pages.paginate(DatabaseName=self.name, TableName="ratings").search("Partitions[]")
        return {entry["Values"][0]: entry["StorageDescriptor"]["Location"] for entry in found}

    def snapshot(self, name: str, *values: str) -> Any:
        location = f"s3://{self.name}/ratings/{name}/"
        folders = {(value,): f"{location}customerNumber={value}/" for value in values}
        return self.script.Snapshot(name, location, folders, files=len(values), size=1)


@pytest.fixture
def place(aws: Aws, ratings_etl: ModuleType) -> Place:
    name = f"catalog{secrets.token_hex(6)}"
    glue = aws.client("glue")
    aws.client("s3").create_bucket(Bucket=name)
    glue.create_database(DatabaseInput={"Name": name})
    keys, columns = [CATALOG_COLUMNS[0] | {"Comment": "who"}], [CATALOG_COLUMNS[1] | {"Comment": "where"}]
    glue.create_table(
        DatabaseName=name,
        TableInput={
            "Name": "ratings",
            "Description": "made by Terraform",
            "PartitionKeys": keys,
            "Parameters": {"EXTERNAL": "TRUE"},
            "StorageDescriptor": {"Columns": columns, "Location": f"s3://{name}/ratings/"},
        },
    )
    return Place(ratings_etl, aws, name)


BY_CUSTOMER = ("customerNumber",)


def test_a_switch_moves_makes_and_removes_partitions_and_keeps_what_terraform_wrote(place: Place) -> None:
    place.table().switch(place.snapshot("one", "103", "112"), BY_CUSTOMER, rows=7, keep=0)
    named = place.table().switch(place.snapshot("two", "112", "119"), BY_CUSTOMER, rows=8, keep=1)
    assert named == ["two", "one"]
    assert place.partitions() == {
        "112": f"s3://{place.name}/ratings/two/customerNumber=112/",
        "119": f"s3://{place.name}/ratings/two/customerNumber=119/",
    }
    entry = place.entry()
    assert entry["StorageDescriptor"]["Location"] == f"s3://{place.name}/ratings/two/"
    assert entry["Parameters"]["vectorops.snapshots"] == "two,one"
    assert entry["Parameters"]["vectorops.rows"] == "8"
    assert entry["Parameters"]["EXTERNAL"] == "TRUE"
    assert entry["Description"] == "made by Terraform"
    assert entry["PartitionKeys"] == [{"Name": "customernumber", "Type": "int", "Comment": "who"}]
    assert entry["StorageDescriptor"]["Columns"][0] == {"Name": "city", "Type": "string", "Comment": "where"}
    assert len(entry["StorageDescriptor"]["Columns"]) == 12


@pytest.mark.parametrize("action", ["batch_create_partition", "batch_update_partition", "update_table"])
def test_a_switch_that_breaks_leads_readers_back_to_the_former_snapshot(place: Place, action: str) -> None:
    place.table().switch(place.snapshot("one", "103", "112"), BY_CUSTOMER, rows=7, keep=0)
    before = place.partitions()
    broken = place.table(Breaking(place.aws.client("glue"), action))
    with pytest.raises(RuntimeError, match="broken on purpose"):
        broken.switch(place.snapshot("two", "112", "119"), BY_CUSTOMER, rows=8, keep=0)
    assert place.partitions() == before
    assert place.entry()["StorageDescriptor"]["Location"] == f"s3://{place.name}/ratings/one/"


def test_a_switch_that_is_killed_is_completed_by_the_next_one(place: Place) -> None:
    place.table().switch(place.snapshot("one", "103", "112"), BY_CUSTOMER, rows=7, keep=0)
    killed = place.table(Breaking(place.aws.client("glue"), "update_table", error=SystemExit))
    with pytest.raises(SystemExit):
        killed.switch(place.snapshot("two", "112", "119"), BY_CUSTOMER, rows=8, keep=0)
    assert place.table().snapshots() == ["one"], (
        "careful readers see that the partitions are ahead of the table"
    )
    place.table().switch(place.snapshot("three", "103", "112"), BY_CUSTOMER, rows=7, keep=0)
    assert set(place.partitions()) == {"103", "112"}
    assert all("/three/" in location for location in place.partitions().values())


def test_partitions_go_to_the_catalog_a_hundred_at_a_time(place: Place) -> None:
    glue = Breaking(place.aws.client("glue"))
    values = [str(number) for number in range(250)]
    place.table(glue).switch(place.snapshot("one", *values), BY_CUSTOMER, rows=250, keep=0)
    place.table(glue).switch(place.snapshot("two", *values), BY_CUSTOMER, rows=250, keep=0)
    assert glue.batches == [100, 100, 50, 100, 100, 50]
    assert len(place.partitions()) == 250


def test_other_partition_columns_replace_the_partitions_there_were(place: Place) -> None:
    place.table().switch(place.snapshot("one", "103", "112"), BY_CUSTOMER, rows=7, keep=0)
    place.table().switch(place.snapshot("two", "Norway"), ("country",), rows=7, keep=0)
    assert [key["Name"] for key in place.entry()["PartitionKeys"]] == ["country"]
    assert set(place.partitions()) == {"Norway"}
    place.table().switch(place.snapshot("three"), (), rows=7, keep=0)
    assert place.entry()["PartitionKeys"] == []
    assert len(place.entry()["StorageDescriptor"]["Columns"]) == 13


def test_cleaning_spares_what_the_table_names_what_is_being_written_and_what_is_no_snapshot(
    place: Place,
) -> None:
    s3 = place.aws.client("s3")
    old, left, current, later = (f"20260101T00000{n}Z-0000000{n}" for n in range(4))
    keys = [f"ratings/{name}/part.parquet" for name in (old, left, current, later)]
    others = ["ratings/customerNumber=103/part.parquet", "ratings/notes.txt", "elsewhere/part.parquet"]
    for key in keys + others:
        s3.put_object(Bucket=place.name, Key=key, Body=b"x")
    lake = place.script.Lake(s3, f"s3://{place.name}/ratings/")
    assert place.script.clean(lake, named=[current], former=[old], grace_seconds=0) == 2
    there = {entry["Key"] for entry in s3.list_objects_v2(Bucket=place.name)["Contents"]}
    assert there == {*keys[2:], *others}


def test_values_that_folders_cannot_hold_as_they_are_reach_the_catalog_unescaped(place: Place) -> None:
    s3 = place.aws.client("s3")
    name = "20260101T000000Z-00000000"
    folder = "country=C%C3%B4te d%27Ivoire/state=__HIVE_DEFAULT_PARTITION__"
    s3.put_object(Bucket=place.name, Key=f"ratings/{name}/{folder}/a.parquet", Body=b"12345")
    s3.put_object(Bucket=place.name, Key=f"ratings/{name}/_SUCCESS", Body=b"")
    lake = place.script.Lake(s3, f"s3://{place.name}/ratings/")
    found = lake.describe(name, ("country", "state"))
    assert found.partitions == {
        ("Côte d'Ivoire", "__HIVE_DEFAULT_PARTITION__"): f"s3://{place.name}/ratings/{name}/{folder}/"
    }
    assert (found.files, found.size) == (1, 5)
