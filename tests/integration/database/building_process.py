"""Builds an index in a process of its own that can be killed. Arguments: address as JSON, way."""

import json
import sys

from vectorops.database.connection import DatabaseAddress, connect
from vectorops.database.index_build import BuildSettings, build_index
from vectorops.database.index_spec import IndexSpec
from vectorops.database.tables import vector_table


def main(address: str, way: str) -> None:
    where = DatabaseAddress(**json.loads(address))
    with connect(where) as connection, connect(where) as watcher:
        build_index(
            connection,
            watcher,
            vector_table(connection, "public.items"),
            IndexSpec("halfvec", "cosine"),
            BuildSettings(64 * 2**20, workers=1),
            concurrently=way == "concurrently",
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
