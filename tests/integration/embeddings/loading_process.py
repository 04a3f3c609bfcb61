"""Loads a file in a process of its own, stopping where it is told to, so that it can be killed there.

Arguments: address as JSON, path, table, number of rows after which to say "waiting" and wait (0: never).
"""

import json
import sys
import time

from vectorops.database.connection import DatabaseAddress, connect
from vectorops.embeddings.load import load_embeddings
from vectorops.embeddings.sources import find_sources


def main(address: str, path: str, table: str, wait_after: int) -> None:
    def on_progress(rows: int, _: int) -> None:
        if wait_after and rows >= wait_after:
            print("waiting", flush=True)
            time.sleep(600)

    connection = connect(DatabaseAddress(**json.loads(address)))
    connection.execute("SET search_path = public, vectorops")
    print("loading", flush=True)
    report = load_embeddings(
        connection, find_sources([path]), table=table, create=True, on_error="reject", on_progress=on_progress
    )
    print(report.inserted, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
