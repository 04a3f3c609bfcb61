"""Replaces a table and rolls it back, again and again. Arguments: address as JSON, folders."""

import itertools
import json
import sys

from vectorops.database.connection import DatabaseAddress, connect
from vectorops.database.kept_tables import roll_back
from vectorops.embeddings.load import load_embeddings
from vectorops.embeddings.sources import find_sources
from vectorops.embeddings.writing import Way


def main(address: str, *paths: str) -> None:
    with connect(DatabaseAddress(**json.loads(address))) as connection:
        print("ready", flush=True)
        for way in itertools.cycle([Way("replace"), Way("replace", resume=True, group_bytes=1)]):
            for path in paths:
                load_embeddings(
                    connection,
                    find_sources([path]),
                    table="public.items",
                    way=way,
                    model_version=path[-1],
                )
                roll_back(connection, "public.items")


if __name__ == "__main__":
    main(*sys.argv[1:])
