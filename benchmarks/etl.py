"""The ETL job on local Spark beside the same join and write in DuckDB, with wall time and peak memory.

Both read the three tables from the same PostgreSQL and leave Parquet, partitioned by country, in the same S3.
The job also counts bad rows, reads back what it wrote, and registers it in the catalog. DuckDB gets the
tables as CSV, since its own PostgreSQL reader has to be downloaded.

    python benchmarks/etl.py --rows 100000 1000000 5000000
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import psutil
from botocore.exceptions import EndpointConnectionError

from vectorops.aws import Aws, Credentials
from vectorops.local.awsglue_shim.command import find_jars, find_java, spark_command
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.local.postgres import PostgresProcess, create_cluster
from vectorops.source import SourceAddress, connect_source, generate_sample, init_source

SCRIPT = Path(__file__).parents[1] / "vectorops" / "glue" / "ratings_etl.py"
NAME = "bench"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
RATINGS_PER_CUSTOMER = 100
PRODUCTS = 1_000
SAMPLE_INTERVAL_S = 0.05
JOIN = """
COPY (
    SELECT c.customerNumber, rtrim(city) city, rtrim(state) state, rtrim(postalCode) postalCode,
           rtrim(country) country, creditLimit, productCode, productLine, productScale, quantityInStock,
           buyPrice, MSRP, productRating
    FROM read_csv('{folder}/ratings.csv') r
    JOIN read_csv('{folder}/customers.csv') c USING (customerNumber)
    JOIN read_csv('{folder}/products.csv') p USING (productCode)
) TO '{folder}/out' (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (country))
"""


@dataclass(frozen=True)
class Figures:
    """What one contender needed for one size."""

    contender: str
    rows: int
    seconds: float
    peak_mb: float
    files: int
    megabytes: float


@dataclass(frozen=True)
class Surroundings:
    """Source database and AWS APIs."""

    source: SourceAddress
    endpoint_url: str
    folder: Path

    @property
    def aws(self) -> Aws:
        """Clients of the AWS APIs."""
        key = Credentials(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
        return Aws(KEYS["AWS_DEFAULT_REGION"], endpoint_url=self.endpoint_url, credentials=key)


def main() -> None:
    options = parse_options()
    if options.duckdb:
        by_duckdb(Surroundings(**json.loads(sys.stdin.read(), object_hook=_address)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name, surroundings(Path(name)) as around:
        prepare_catalog(around)
        figures = [one for rows in options.rows for one in measure(around, rows, options.memory_mb)]
    report(figures, options.json)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000], help="ratings to make up")
    parser.add_argument("--memory-mb", type=int, default=2048, help="Java heap of Spark")
    parser.add_argument("--folder", type=Path, help="where there is room for the database and the files")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--duckdb", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _address(value: dict[str, Any]) -> Any:
    if "folder" in value:
        return value | {"folder": Path(value["folder"])}
    return SourceAddress(**value)


@contextmanager
def surroundings(folder: Path) -> Iterator[Surroundings]:
    """Run a PostgreSQL and the AWS APIs of our own."""
    folder.chmod(0o755)  # PostgreSQL runs as another user when we are root.
    password = secrets.token_urlsafe(16)
    create_cluster(folder / "data", user=NAME, password=password, database=NAME)
    server = PostgresProcess(folder / "data", find_free_port(), folder / "postgres.log")
    server.start()
    port = find_free_port()
    settings = {"BIND_HOST": LOOPBACK, "MINISTACK_HOST": LOOPBACK, "GATEWAY_PORT": str(port)}
    settings |= {"STATE_DIR": str(folder / "state"), "S3_DATA_DIR": str(folder / "s3")}
    apis = subprocess.Popen(
        [sys.executable, "-c", "from ministack import app; app.main()"],
        env=os.environ | settings | {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    around = Surroundings(
        SourceAddress(LOOPBACK, server.port, NAME, NAME, password), f"http://{LOOPBACK}:{port}", folder
    )
    try:
        yield around
    finally:
        apis.kill()
        apis.wait()
        server.stop()


def prepare_catalog(around: Surroundings) -> None:
    while True:
        try:
            around.aws.client("s3").create_bucket(Bucket=NAME)
            break
        except EndpointConnectionError:
            time.sleep(0.1)
    glue, source = around.aws.client("glue"), around.source
    secret = {"username": source.user, "password": source.password}
    around.aws.client("secretsmanager").create_secret(Name=NAME, SecretString=json.dumps(secret))
    url = f"jdbc:mysql://{source.host}:{source.port}/{source.name}"
    properties = {"JDBC_CONNECTION_URL": url, "SECRET_ID": NAME}
    glue.create_connection(
        ConnectionInput={"Name": NAME, "ConnectionType": "JDBC", "ConnectionProperties": properties}
    )
    glue.create_database(DatabaseInput={"Name": NAME})
    glue.create_table(
        DatabaseName=NAME,
        TableInput={"Name": NAME, "StorageDescriptor": {"Columns": [], "Location": f"s3://{NAME}/spark/"}},
    )


def measure(around: Surroundings, rows: int, memory_mb: int) -> Iterator[Figures]:
    print(f"filling the source with {rows:,} ratings", file=sys.stderr)
    customers = max(200, rows // RATINGS_PER_CUSTOMER * 5 // 4)
    with connect_source(around.source) as connection:
        init_source(connection, generate_sample(customers, PRODUCTS, rows))
    for contender, run in (("job on local Spark", start_spark), ("DuckDB", start_duckdb)):
        started = time.perf_counter()
        process = run(around, memory_mb)
        peak = peak_bytes(process)
        seconds = time.perf_counter() - started
        assert process.returncode == 0, f"{contender} failed; see {around.folder}"
        files, size = written(around, "spark/" if run is start_spark else "duckdb/")
        yield Figures(contender, rows, round(seconds, 1), round(peak / 2**20), files, round(size / 2**20, 1))


def start_spark(around: Surroundings, memory_mb: int) -> "subprocess.Popen[bytes]":
    work_dir = Path(tempfile.mkdtemp(dir=around.folder))
    arguments = {
        "JOB_NAME": NAME,
        "connection_name": NAME,
        "source_database": NAME,
        "data_lake_path": f"s3://{NAME}/spark/",
        "catalog_database": NAME,
        "catalog_table": NAME,
        "partition_by": "country",
        "read_partitions": "2",
        "grace_seconds": "0",
    }
    argv, env = spark_command(
        SCRIPT,
        arguments,
        work_dir=work_dir,
        endpoint_url=around.endpoint_url,
        jars=find_jars(),
        java_home=find_java(),
        memory_mb=memory_mb,
    )
    environment = {"PATH": os.environ["PATH"]} | KEYS | env
    return subprocess.Popen(argv, env=environment, cwd=work_dir, stdout=subprocess.DEVNULL)


def start_duckdb(around: Surroundings, memory_mb: int) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, __file__, "--duckdb"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(around), default=str).encode())
    process.stdin.close()
    return process


def by_duckdb(around: Surroundings) -> None:
    s3 = around.aws.client("s3")
    with tempfile.TemporaryDirectory(dir=around.folder) as name, connect_source(around.source) as connection:
        folder = Path(name)
        for table in ("customers", "products", "ratings"):
            copy = f"COPY {table} TO STDOUT (FORMAT csv, HEADER)"
            with connection.cursor().copy(copy) as blocks, (folder / f"{table}.csv").open("wb") as file:
                for block in blocks:
                    file.write(block)
        duckdb.connect(config={"threads": 2}).execute(JOIN.format(folder=folder))
        for path in (folder / "out").rglob("*.parquet"):
            s3.upload_file(str(path), NAME, f"duckdb/{path.relative_to(folder / 'out')}")


def peak_bytes(process: "subprocess.Popen[bytes]") -> int:
    """Wait for the end of `process`; return the most memory that it and its children held at once."""
    peak = 0
    while process.poll() is None:
        total = 0
        try:
            parent = psutil.Process(process.pid)
            for one in (parent, *parent.children(recursive=True)):
                total += one.memory_info().rss
        except psutil.NoSuchProcess:
            pass
        peak = max(peak, total)
        time.sleep(SAMPLE_INTERVAL_S)
    return peak


def written(around: Surroundings, prefix: str) -> tuple[int, int]:
    pages = around.aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=NAME, Prefix=prefix)
    sizes = [entry["Size"] for entry in pages.search("Contents[]") if entry["Key"].endswith(".parquet")]
    return len(sizes), sum(sizes)


def report(figures: list[Figures], path: Path | None) -> None:
    print(f"{'ratings':>12}  {'':20}{'seconds':>9}{'rows/s':>12}{'peak MiB':>10}{'files':>7}{'MiB':>8}")
    for one in figures:
        rate = one.rows / one.seconds
        print(
            f"{one.rows:>12,}  {one.contender:20}{one.seconds:>9.1f}{rate:>12,.0f}{one.peak_mb:>10,.0f}"
            f"{one.files:>7}{one.megabytes:>8.1f}"
        )
    if path:
        path.write_text(json.dumps([asdict(one) for one in figures], indent=2))


if __name__ == "__main__":
    main()
