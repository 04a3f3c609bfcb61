"""The script is uploaded alone, so it must stand alone."""

import ast
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = sorted((Path(__file__).parents[3] / "vectorops" / "glue").glob("[!_]*.py"))
ON_GLUE = {"pyspark", "py4j", "awsglue", "boto3", "botocore"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_job_imports_nothing_that_glue_does_not_have(script: Path) -> None:
    nodes = list(ast.walk(ast.parse(script.read_text(encoding="utf-8"))))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    imported = {name.split(".")[0] for name in names}
    assert imported <= ON_GLUE | sys.stdlib_module_names


def test_the_columns_are_those_of_the_contract(ratings_etl: ModuleType) -> None:
    names = (
        "customerNumber city state postalCode country creditLimit productCode productLine productScale "
        "quantityInStock buyPrice MSRP productRating"
    )
    assert list(ratings_etl.COLUMNS) == names.split()


def test_a_snapshot_name_sorts_by_time_and_is_no_partition(ratings_etl: ModuleType) -> None:
    earlier = ratings_etl.snapshot_name(datetime(2026, 1, 9, 23, 59, 59, tzinfo=UTC))
    later = ratings_etl.snapshot_name(datetime(2026, 1, 10, tzinfo=UTC))
    assert earlier < later
    assert ratings_etl.SNAPSHOT_NAME.fullmatch(earlier)
    assert "=" not in earlier
