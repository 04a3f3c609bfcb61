"""Athena: JSON tables have the columns that the catalog gives them, and partitions computed from the path.

The library guesses the columns from the data, so that a table changes with what was delivered last, and knows
nothing of partition projection.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ministack.services import athena, firehose

from vectorops.local.emulator.mending import Function, need, replace

Table = Mapping[str, Any]


def install() -> None:
    """Mend the library."""
    need(athena, "_data_format", "_sql_list")
    need(firehose, "_hive_to_duckdb_type")
    replace(athena, "_table_relation", _table_relation)


def _table_relation(original: Function) -> Function:
    def table_relation(table: Table, files: Sequence[str]) -> Any:
        if athena._data_format(table) != "json" or not table["StorageDescriptor"].get("Columns"):
            return original(table, files)
        return json_relation(table, athena._sql_list(files))

    return table_relation


def json_relation(table: Table, files: str) -> str:
    """Return DuckDB's relation over the files of a JSON table.

    Args:
        table: As the catalog describes it.
        files: SQL list of their paths.

    Raises:
        ValueError: A partition key is not computed from the path.
    """
    storage = table["StorageDescriptor"]
    columns = {one["Name"]: firehose._hive_to_duckdb_type(one["Type"]) for one in storage["Columns"]}
    typed = ", ".join(f"{_literal(name)}: {_literal(kind)}" for name, kind in columns.items())
    selected = [_identifier(name) for name in columns]
    selected += [
        f"{_value_of(key['Name'], table)} AS {_identifier(key['Name'])}" for key in table["PartitionKeys"]
    ]
    is_lenient = storage.get("SerdeInfo", {}).get("Parameters", {}).get("ignore.malformed.json", "")
    options = (
        f"format = 'newline_delimited', columns = {{{typed}}}, filename = true, hive_partitioning = false, "
        f"ignore_errors = {str(is_lenient.lower() == 'true').lower()}"
    )
    return f"(SELECT {', '.join(selected)} FROM read_json({files}, {options}))"  # noqa: S608 - all is quoted


def _value_of(key: str, table: Table) -> str:
    """Return the expression for a key whose values are the last folders of the path: 2026/11/21/06."""
    parameters = table.get("Parameters", {})
    if parameters.get("projection.enabled") != "true" or parameters.get(f"projection.{key}.type") != "date":
        raise ValueError(f"the local target reads no partitions but projected dates, and '{key}' is none")
    folders = parameters[f"projection.{key}.format"].count("/")
    return f"regexp_extract(filename, '((?:[^/]+/){{{folders}}}[^/]+)/[^/]+$', 1)"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
