"""Loading CSV files from S3 by one process, and by Spark in several streams, into an empty table.

Both run on this machine, which so has to do the work of the workers, of the database and of S3: the figures
say what starting Spark costs and what a stream does a second, not what several machines do.

    python -m benchmarks.spread --rows 100000 400000 --dimension 128
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.etl import KEYS, NAME, Surroundings, prepare_catalog, surroundings
from benchmarks.load import TABLE, prepare
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.embeddings.load import load_embeddings
from vectorops.embeddings.sources import find_sources
from vectorops.infra.packages import build_loader
from vectorops.local.awsglue_shim.command import find_jars, find_java, spark_command
from vectorops.settings import Environment, Project

CHECKOUT = Path(__file__).parents[1]
FILES = 8


@dataclass(frozen=True)
class Figures:
    """What one contender needed for one size.

    Attributes:
        seconds: From the start of the command to its end.
        load_seconds: Of these, from the first look at the files to the commit.
    """

    contender: str
    rows: int
    dimension: int
    megabytes: float
    seconds: float
    load_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 400_000])
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--folder", type=Path, help="where there is room for the database and the files")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name, surroundings(Path(name)) as around:
        prepare_catalog(around)
        upload_package(around)
        figures = [one for rows in options.rows for one in measure(around, rows, options.dimension)]
    for one in figures:
        print(
            f"{one.rows:>9,} of {one.dimension}  {one.contender:<22} {one.seconds:7.1f} s, "
            f"of which loading {one.load_seconds:6.1f} s, {one.rows / one.load_seconds:9,.0f} rows/s"
        )
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in figures], indent=2))


def address(around: Surroundings) -> DatabaseAddress:
    source = around.source
    return DatabaseAddress(
        source.host, source.port, source.name, source.user, source.password, sslmode="disable"
    )


def upload_package(around: Surroundings) -> None:
    environment = Environment("bench", "local", "us-east-1", around.folder / "none", around.folder / "state")
    package = build_loader(Project(CHECKOUT, {"bench": environment}), environment)
    around.aws.client("s3").upload_file(str(package.path), NAME, "package.zip")


def measure(around: Surroundings, rows: int, dimension: int) -> list[Figures]:
    size = upload_files(around, rows, dimension)
    contenders: dict[str, Callable[[Surroundings, int], float]] = {
        "this process": by_this_process,
        "Spark, 1 stream": lambda around, rows: by_spark(around, rows, 1),
        "Spark, 2 streams": lambda around, rows: by_spark(around, rows, 2),
    }
    figures = []
    for contender, load in contenders.items():
        with connect(address(around)) as connection:
            prepare(connection, dimension)
            connection.execute("CHECKPOINT")
        started = time.perf_counter()
        load_s = load(around, rows)
        seconds = time.perf_counter() - started
        figures.append(
            Figures(contender, rows, dimension, round(size / 1e6, 1), round(seconds, 1), round(load_s, 1))
        )
    return figures


def upload_files(around: Surroundings, rows: int, dimension: int) -> int:
    """Return the size of all files in bytes."""
    random, size = np.random.default_rng(1), 0
    for file in range(FILES):
        vectors = random.standard_normal((rows // FILES, dimension)).astype(np.float32)
        texts = (",".join(map(str, vector)) for vector in vectors.tolist())
        lines = (f'{file}-{number},"[{text}]"' for number, text in enumerate(texts))
        body = ("id,embedding\n" + "\n".join(lines) + "\n").encode()
        around.aws.client("s3").put_object(Bucket=NAME, Key=f"{rows}/{file}.csv", Body=body)
        size += len(body)
    return size


def by_this_process(around: Surroundings, rows: int) -> float:
    """Return the seconds that loading took."""
    sources = find_sources([f"s3://{NAME}/{rows}/"], s3=around.aws.client("s3"))
    with closing(connect(address(around))) as connection:
        return load_embeddings(connection, sources, table=TABLE).elapsed_s


def by_spark(around: Surroundings, rows: int, streams: int) -> float:
    """Return the seconds that loading took, without those for starting."""
    work_dir = Path(tempfile.mkdtemp(dir=around.folder))
    where = address(around)
    load: dict[str, Any] = {"sources": [f"s3://{NAME}/{rows}/"], "table": TABLE, "way": {}, "options": {}}
    arguments = {
        "JOB_NAME": "spread",
        "JOB_RUN_ID": work_dir.name,
        "package": f"s3://{NAME}/package.zip",
        "database_host": where.host,
        "database_port": str(where.port),
        "database_name": where.name,
        "database_secret_arn": NAME,
        "database_sslmode": "disable",
        "max_streams": str(streams),
        "results": f"s3://{NAME}/loads/",
        "load": json.dumps(load),
    }
    argv, env = spark_command(
        CHECKOUT / "vectorops" / "glue" / "embeddings_load.py",
        arguments,
        work_dir=work_dir,
        endpoint_url=around.endpoint_url,
        jars=find_jars(),
        java_home=find_java(),
    )
    subprocess.run(argv, env={"PATH": os.environ["PATH"]} | KEYS | env, check=True, stdout=sys.stderr)
    key = f"loads/{work_dir.name}/report.json"
    body = around.aws.client("s3").get_object(Bucket=NAME, Key=key)["Body"].read()
    report = json.loads(body)["report"]
    assert report["inserted"] == rows // FILES * FILES
    return float(report["elapsed_s"])


if __name__ == "__main__":
    main()
