"""The job's script as Glue loads it: with a package `awsglue` on the path."""

import sys
from types import ModuleType

import pytest

from vectorops.local.awsglue_shim import command


@pytest.fixture(scope="session")
def ratings_etl() -> ModuleType:
    pytest.importorskip("pyspark", reason="Spark is not installed: make setup")
    sys.path.insert(0, str(command.SHIM_DIR))
    from vectorops.glue import ratings_etl

    return ratings_etl
