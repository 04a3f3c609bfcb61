"""Loading from text, and looking at what a load left behind."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from vectorops.database.load_log import Load, last_loads
from vectorops.embeddings.load import LoadReport, load_embeddings
from vectorops.embeddings.sources import find_sources

Rows = dict[Any, list[float]]
GOOD = 'id,embedding\na,"[1,2,3]"\nb,"[4,5,6]"\n'


@dataclass(frozen=True)
class Loader:
    """Loads files of a test's own folder."""

    connection: psycopg.Connection[Any]
    folder: Path

    def write(self, content: str | bytes, name: str = "a.csv") -> str:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def load(self, content: str | bytes, table: str = "t", **options: Any) -> LoadReport:
        """Load one file with this content."""
        return self.load_files(self.write(content), table=table, **options)

    def load_files(self, *specs: str, table: str = "t", **options: Any) -> LoadReport:
        return load_embeddings(self.connection, find_sources(specs), table=table, **options)

    def rows(self, table: str = "t") -> Rows:
        """Return what the table holds."""
        query = sql.SQL("SELECT id, embedding::real[] FROM {}").format(sql.Identifier(*table.split(".")))
        return dict(self.connection.execute(query).fetchall())

    def versions(self, table: str = "t") -> list[tuple[Any, ...]]:
        """Return where each row lies and which transactions made and locked it: the same when untouched."""
        query = sql.SQL("SELECT id, ctid::text, xmin::text, xmax::text FROM {} ORDER BY id")
        return self.connection.execute(query.format(sql.Identifier(table))).fetchall()

    def loads(self) -> list[Load]:
        return last_loads(self.connection)

    def rejects(self, path: Path) -> list[dict[str, str]]:
        with path.open(newline="") as file:
            return list(csv.DictReader(file))


def counts(report: LoadReport) -> dict[str, int]:
    """Return the counts that are not 0, after checking that they add up."""
    names = ("inserted", "updated", "unchanged", "rejected")
    found = {name: getattr(report, name) for name in names}
    assert report.read == sum(found.values())
    return {name: count for name, count in found.items() if count}


def large_csv(rows: int, dimension: int = 3) -> str:
    """Return a file of vectors that are all the same, with ids 0, 1, …"""
    vector = "[" + "0.125," * (dimension - 1) + "1]"
    return "id,embedding\n" + "".join(f'{number},"{vector}"\n' for number in range(rows))


def embeddings_csv(rows: int, dimension: int, *, seed: int = 1, prefix: str = "row") -> str:
    """Return a file of random vectors with ids row0, row1, …"""
    vectors = np.random.default_rng(seed).standard_normal((rows, dimension)).astype(np.float32)
    lines = (f'{prefix}{number},"[{",".join(map(str, vector))}]"' for number, vector in enumerate(vectors))
    return "id,embedding\n" + "\n".join(lines) + "\n"
