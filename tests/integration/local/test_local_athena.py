import gzip
import time
import uuid
from typing import Any

import pytest

from vectorops.aws import Aws

DAYS = {
    "projection.enabled": "true",
    "projection.hour.type": "date",
    "projection.hour.format": "yyyy/MM/dd/HH",
}


@pytest.fixture
def table(operator: Aws) -> dict[str, Any]:
    """A JSON table with folders by the hour, two objects in it."""
    name = f"athena-{uuid.uuid4().hex[:12]}"
    s3, glue = operator.client("s3"), operator.client("glue")
    s3.create_bucket(Bucket=name)
    first = b'{"who": "a", "what": {"x": [1, "y"]}, "items": [{"id": "i", "score": 0.5}]}\n{"who": 7}\n'
    s3.put_object(Bucket=name, Key="data/2026/11/21/06/one", Body=first)
    s3.put_object(Bucket=name, Key="data/2026/11/21/07/two.gz", Body=gzip.compress(b'{"unknown": 1}\n'))
    glue.create_database(DatabaseInput={"Name": name})
    columns = {"who": "string", "what": "string", "items": "array<struct<id:string,score:double>>"}
    definition = {
        "Name": "events",
        "Parameters": {"classification": "json"} | DAYS,
        "PartitionKeys": [{"Name": "hour", "Type": "string"}],
        "StorageDescriptor": {
            "Location": f"s3://{name}/data/",
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items()],
            "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
        },
    }
    glue.create_table(DatabaseName=name, TableInput=definition)
    return {"database": name, "definition": definition}


def ask(operator: Aws, database: str, query: str) -> list[list[str | None]]:
    athena = operator.client("athena")
    started = athena.start_query_execution(
        QueryString=query,
        QueryExecutionContext={"Database": database},
        ResultConfiguration={"OutputLocation": f"s3://{database}/results/"},
    )
    execution = started["QueryExecutionId"]
    while True:
        state = athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]["Status"]
        if state["State"] not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.05)
    assert state["State"] == "SUCCEEDED", state
    rows = athena.get_query_results(QueryExecutionId=execution)["ResultSet"]["Rows"]
    return [[cell.get("VarCharValue") for cell in row["Data"]] for row in rows[1:]]


def test_columns_are_those_of_the_catalog_whatever_the_data_is(operator: Aws, table: dict[str, Any]) -> None:
    query = (
        "SELECT who, what, items[1].id, items[1].score FROM events WHERE hour = '2026/11/21/06' ORDER BY who"
    )
    assert ask(operator, table["database"], query) == [
        ["7", None, None, None],
        ["a", '{"x":[1,"y"]}', "i", "0.5"],
    ]


def test_partitions_are_computed_from_the_path(operator: Aws, table: dict[str, Any]) -> None:
    query = "SELECT hour, count(*) FROM events GROUP BY hour ORDER BY hour"
    assert ask(operator, table["database"], query) == [["2026/11/21/06", "2"], ["2026/11/21/07", "1"]]


def test_a_line_that_names_a_field_twice_fails_the_query_unless_the_table_lets_it_pass(
    operator: Aws, table: dict[str, Any]
) -> None:
    name, definition = table["database"], table["definition"]
    operator.client("s3").put_object(
        Bucket=name, Key="data/2026/11/21/08/twice", Body=b'{"who": "b", "who": "c"}\n'
    )
    query = "SELECT count(*), count(who) > 1 FROM events"
    with pytest.raises(AssertionError, match="JSON transform error"):
        ask(operator, name, query)
    lenient = definition["StorageDescriptor"]["SerdeInfo"] | {"Parameters": {"ignore.malformed.json": "TRUE"}}
    storage = definition["StorageDescriptor"] | {"SerdeInfo": lenient}
    operator.client("glue").update_table(
        DatabaseName=name, TableInput=definition | {"StorageDescriptor": storage}
    )
    assert ask(operator, name, query) == [["4", "true"]]


def test_partitions_that_are_not_computed_are_no_silent_nothing(operator: Aws, table: dict[str, Any]) -> None:
    operator.client("glue").update_table(
        DatabaseName=table["database"],
        TableInput=table["definition"] | {"Parameters": {"classification": "json"}},
    )
    with pytest.raises(AssertionError, match="projected dates"):
        ask(operator, table["database"], "SELECT count(*) FROM events")
