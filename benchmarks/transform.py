"""The streaming transform beside the design it replaces, for catalogues of several sizes, and its cold start.

The replaced design makes three HTTP calls per record, each on a new connection, to an endpoint that embeds or
runs one SQL search; here that is a bare server on loopback, without TLS and Lambda in between. Both use the
same model and the same PostgreSQL, and one core for their arithmetic. Every event has a user and a product of
its own, where there are enough: the transform looks for what is the same only once.

    python -m benchmarks.transform --items 110 10000 100000 1000000
"""

import argparse
import base64
import functools
import http.server
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import psutil
import psycopg
import pyarrow as pa
import urllib3
from botocore.exceptions import EndpointConnectionError
from threadpoolctl import threadpool_limits

from vectorops.aws import Aws, Credentials
from vectorops.database.connection import DatabaseAddress, connect, register_vector_types
from vectorops.database.migrations import apply_migrations
from vectorops.functions.configuration import Configuration
from vectorops.functions.deadline import Deadline
from vectorops.functions.runtime import open_store
from vectorops.functions.store import Recommender
from vectorops.functions.transform import Transform
from vectorops.infra.packages import build_functions
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.local.postgres import PostgresProcess, create_cluster
from vectorops.recommender.artifacts import write_artifacts
from vectorops.recommender.catalogue import Found, Search
from vectorops.recommender.inference import UserModel
from vectorops.recommender.training import TrainingResult, train
from vectorops.settings import Environment, Project
from vectorops.source.sample import generate_sample
from vectorops.source.tables import CUSTOMERS, PRODUCTS, RATINGS

CHECKOUT = Path(__file__).parents[1]
BATCH, LIMIT = 500, 5
COLD_RUNS = 3
# Like Lambda: the package read-only, so that nothing compiled is kept from one start to the next.
COLD_START = """
import sys, time
begin = time.perf_counter()
sys.path.insert(0, sys.argv[1])
import json
steps = {}
def lap(name):
    global begin
    steps[name], begin = time.perf_counter() - begin, time.perf_counter()
import numpy; lap("import numpy")
import onnxruntime; lap("import onnxruntime")
import psycopg, pgvector.psycopg; lap("import psycopg, pgvector")
import boto3, botocore.session; lap("import boto3")
import aws_lambda_powertools.logging, aws_lambda_powertools.metrics; lap("import powertools")
import vectorops.functions.transform as transform; lap("import vectorops, make AWS clients")
out, sys.stdout = sys.stdout, sys.stderr
context = type("Context", (), dict.fromkeys(("function_name", "memory_limit_in_mb", "invoked_function_arn",
    "aws_request_id"), "x") | {"get_remaining_time_in_millis": lambda self: 30_000})()
event = json.loads(sys.stdin.read())
transform._transform()._current(transform.Deadline(30)); lap("read secret, connect, read model and catalogue")
transform.handler(event, context); lap("answer the first batch")
out.write(json.dumps(steps))
"""


@dataclass(frozen=True)
class Stack:
    """What both designs stand on."""

    aws: Aws
    database: DatabaseAddress
    secret_arn: str
    bucket: str
    model: TrainingResult

    def environ(self, **more: str) -> dict[str, str]:
        """Return the variables that Terraform sets, and `more`."""
        return {
            "AWS_REGION": self.aws.region,
            "AWS_ENDPOINT_URL": str(self.aws.endpoint_url),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "DATABASE_HOST": self.database.host,
            "DATABASE_PORT": str(self.database.port),
            "DATABASE_NAME": self.database.name,
            "DATABASE_SECRET_ARN": self.secret_arn,
            "DATABASE_SSLMODE": "disable",
            "ML_ARTIFACTS_BUCKET": self.bucket,
            "ITEM_LIMIT": str(LIMIT),
            **more,
        }


@dataclass(frozen=True)
class Figure:
    """Records per second of one way over a catalogue of one size.

    Attributes:
        records_per_s: By the clock.
        records_per_cpu_s: By the processor time of the function alone, which a busy machine does not change.
        shares: Of the time by the clock.
        load_s: From nothing to a model and a catalogue.
        memory_mb: What they add to the process.
    """

    way: str
    items: int
    records_per_s: float
    records_per_cpu_s: float | None
    shares: dict[str, float]
    load_s: float | None = None
    memory_mb: float | None = None


def main() -> None:
    options = parse_options()
    if options.serve:
        serve_replaced(json.loads(sys.stdin.readline()))
        return
    with tempfile.TemporaryDirectory() as name, stack(Path(name)) as around, threadpool_limits(1):
        figures = [one for items in options.items for one in measure(around, items, options)]
        fill_items(around, options.items[0])
        cold = cold_start(around, Path(name))
    report(figures, cold)
    if options.json:
        content = {"figures": [asdict(figure) for figure in figures], "cold_start_s": cold}
        options.json.write_text(json.dumps(content, indent=2) + "\n")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--items", type=int, nargs="+", default=[110, 10_000, 100_000], help="catalogue sizes"
    )
    parser.add_argument("--batches", type=int, default=10, help=f"batches of {BATCH} records per figure")
    parser.add_argument("--replaced-records", type=int, default=300, help="records for the replaced design")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(around: Stack, items: int, options: argparse.Namespace) -> Iterator[Figure]:
    print(f"filling a catalogue of {items:,} items", flush=True)
    codes = fill_items(around, items)
    events = [firehose_event(codes, seed) for seed in range(options.batches)]
    yield in_process(around, items, events, "in memory", CATALOGUE_BUDGET_MB="4096")
    yield in_process(around, items, events, "through the index", CATALOGUE_BUDGET_MB="0")
    if items == options.items[0]:
        yield replaced(around, items, codes, options.replaced_records)


def in_process(around: Stack, items: int, events: list[dict[str, Any]], way: str, **variables: str) -> Figure:
    configuration = Configuration.from_environ(around.environ(**variables))
    store = open_store(configuration, around.aws, is_patient=False)
    before, started = psutil.Process().memory_info().rss, time.perf_counter()
    current = store.recommender(Deadline(600))
    load_s, memory = time.perf_counter() - started, psutil.Process().memory_info().rss - before
    spent = {"model": 0.0, "search": 0.0, "freshness": 0.0}
    timed = Recommender(TimedModel(current.model, spent), TimedCatalogue(current.catalogue, spent), "")

    def ask(deadline: Deadline) -> Recommender:
        begin = time.perf_counter()
        store.recommender(Deadline(600))
        spent["freshness"] += time.perf_counter() - begin
        return timed

    transform = Transform(configuration, ask)
    quiet(lambda: transform(events[0], None))
    spent.update(dict.fromkeys(spent, 0.0))
    started, cpu_started = time.perf_counter(), time.process_time()
    quiet(lambda: [transform(event, None) for event in events])
    total, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    shares = {name: seconds / total for name, seconds in spent.items()}
    shares["JSON and the rest"] = 1 - sum(shares.values())
    records = BATCH * len(events)
    return Figure(f"transform, {way}", items, records / total, records / cpu, shares, load_s, memory / 1e6)


class TimedModel(UserModel):
    """A user tower that adds up the time it takes."""

    def __init__(self, model: UserModel, spent: dict[str, float]) -> None:  # the session is the model's
        self._model, self._spent, self.dimension = model, spent, model.dimension

    def embed(self, records: Sequence[Any]) -> Any:
        """As the model does."""
        begin = time.perf_counter()
        vectors = self._model.embed(records)
        self._spent["model"] += time.perf_counter() - begin
        return vectors


class TimedCatalogue:
    """A catalogue that adds up the time it takes."""

    def __init__(self, catalogue: Any, spent: dict[str, float]) -> None:
        self._catalogue, self._spent = catalogue, spent

    def search(self, wanted: Search) -> Found:
        """As the catalogue does."""
        begin = time.perf_counter()
        found: Found = self._catalogue.search(wanted)
        self._spent["search"] += time.perf_counter() - begin
        return found


def replaced(around: Stack, items: int, codes: list[str], records: int) -> Figure:
    """Measure the replaced design: three calls per record, one after the other, each on a new connection."""
    command = [sys.executable, "-m", "benchmarks.transform", "--serve"]
    server = subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None and server.stdout is not None
    try:
        tower = base64.b64encode(around.model.files.user_tower).decode()
        server.stdin.write(json.dumps({"database": asdict(around.database), "tower": tower}) + "\n")
        server.stdin.flush()
        url = server.stdout.readline().strip()
        events = [make_event(codes, number) for number in range(records)]
        three_calls(url, events[0])
        started = time.perf_counter()
        for event in events:
            json.dumps({**event, **three_calls(url, event)})
        total = time.perf_counter() - started
    finally:
        server.kill()
        server.wait()
    return Figure("replaced: three calls per record", items, records / total, None, {})


def three_calls(url: str, event: dict[str, Any]) -> dict[str, Any]:
    user = {"city": event["city"], "country": event["country"], "creditlimit": event["credit_limit"]}
    [vector] = urllib3.PoolManager().request("POST", f"{url}/user_embeddings", json=[user]).json()
    items = urllib3.PoolManager().request("POST", f"{url}/items_from_user?limit={LIMIT}", json=vector).json()
    code = event["browse_history"][-1]["product_code"]
    similar = (
        urllib3.PoolManager().request("GET", f"{url}/items_from_item?item_id={code}&limit={LIMIT}").json()
    )
    return {"recommended_items": items, "similar_items": {"product_code": code, "similar_items": similar}}


def serve_replaced(told: dict[str, Any]) -> None:
    """Run the endpoint of the replaced design until killed."""
    model = UserModel(base64.b64decode(told["tower"]))
    connection = connect(DatabaseAddress(**told["database"]))
    server = http.server.HTTPServer((LOOPBACK, 0), functools.partial(ReplacedHandler, model, connection))
    print(f"http://{LOOPBACK}:{server.server_port}", flush=True)
    with threadpool_limits(1):
        server.serve_forever()


class ReplacedHandler(http.server.BaseHTTPRequestHandler):
    """Answers the three calls, each search by one SQL statement on a connection that stays open."""

    NEAREST = "SELECT id, 1 - (embedding <=> {0}) FROM item_emb ORDER BY embedding <=> {0} LIMIT %(limit)s"
    OF_VECTOR = NEAREST.format("%(query)s::vector")
    OF_ITEM = NEAREST.format("(SELECT embedding FROM item_emb WHERE id = %(query)s)")

    def __init__(self, model: UserModel, connection: psycopg.Connection[Any], *more: Any) -> None:
        self._model, self._connection = model, connection
        super().__init__(*more)

    def do_POST(self) -> None:
        """Embed users, or search by a vector."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.startswith("/user_embeddings"):
            self._answer(self._model.embed(body).tolist())
        else:
            self._answer(self._nearest(self.OF_VECTOR, np.array(body, np.float32)))

    def do_GET(self) -> None:
        """Search by an item."""
        self._answer(self._nearest(self.OF_ITEM, parse_qs(urlsplit(self.path).query)["item_id"][0]))

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _nearest(self, statement: str, query: object) -> list[dict[str, Any]]:
        rows = self._connection.execute(statement, {"query": query, "limit": LIMIT})
        return [{"id": id_, "score": score} for id_, score in rows]

    def _answer(self, result: object) -> None:
        body = json.dumps(result).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def cold_start(around: Stack, folder: Path) -> dict[str, float]:
    """Return the median seconds of each step from a new process to the first answer, as deployed."""
    environment = Environment("bench", "local", "us-east-1", folder / "unused", folder / "state")
    package = build_functions(Project(CHECKOUT, {"bench": environment}), environment).path
    print(f"package: {package.stat().st_size / 1e6:.1f} MB zipped", flush=True)
    zipfile.ZipFile(package).extractall(folder / "task")
    runs = [_one_start(around, folder / "task") for _ in range(COLD_RUNS)]
    return {step: statistics.median(run[step] for run in runs) for step in runs[0]}


def _one_start(around: Stack, task: Path) -> dict[str, float]:
    interpreter = getattr(sys, "_base_executable", sys.executable)
    kept = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "AWS_LAMBDA_FUNCTION_NAME": "bench"}
    started = time.perf_counter()
    done = subprocess.run(
        [interpreter, "-B", "-S", "-c", COLD_START, str(task)],
        input=json.dumps(firehose_event(["unknown"], 0)),
        env=kept | around.environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    total = time.perf_counter() - started
    steps: dict[str, float] = json.loads(done.stdout)
    return {"start Python": total - sum(steps.values()), **steps}


def firehose_event(codes: list[str], seed: int) -> dict[str, Any]:
    events = [make_event(codes, seed * BATCH + number) for number in range(BATCH)]
    data = [base64.b64encode(json.dumps(event).encode()).decode() for event in events]
    return {"records": [{"recordId": f"{n:056d}", "data": one} for n, one in enumerate(data)]}


def make_event(codes: list[str], number: int) -> dict[str, Any]:
    rng = np.random.default_rng(number)
    browsed = [codes[int(place)] for place in rng.integers(len(codes), size=3)]
    return {
        "session_id": f"{number:032x}",
        "customer_number": number,
        "city": ("Nantes", "Madrid", "NYC", "Oslo")[number % 4],
        "country": ("France", "Spain", "USA", "Norway")[number % 4],
        "credit_limit": float(rng.integers(0, 130_000)),
        "browse_history": [
            {"product_code": code, "quantity": 1, "in_shopping_cart": place == 0}
            for place, code in enumerate(browsed)
        ],
    }


def fill_items(around: Stack, items: int) -> list[str]:
    """Put clustered vectors into item_emb, index and analyse it; return the ids."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((items // 100 + 1, 32))
    vectors = centres[rng.integers(len(centres), size=items)] + 0.4 * rng.standard_normal((items, 32))
    codes = [f"S{number % 1000}_{number:07d}" for number in range(items)]
    with connect(around.database) as connection:
        connection.execute("SET maintenance_work_mem = '2GB'")
        connection.execute("DROP INDEX IF EXISTS item_emb_embedding_idx; TRUNCATE item_emb")
        with connection.cursor().copy("COPY item_emb FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["text", "vector"])
            for code, vector in zip(codes, vectors.astype(np.float32), strict=True):
                copy.write_row((code, vector))
        connection.execute(
            "CREATE INDEX item_emb_embedding_idx ON item_emb USING hnsw (embedding vector_cosine_ops)"
        )
        connection.execute("VACUUM ANALYZE item_emb")
    return codes


def report(figures: list[Figure], cold: dict[str, float]) -> None:
    slowest = next(one.records_per_s for one in figures if one.way.startswith("replaced"))
    titles = ("items", "records/s", "ratio", "per CPU s", "load s", "MB")
    print(f"\n{'':34}" + "".join(f"{title:>11}" for title in titles) + "  shares of the time")
    for one in figures:
        numbers = (one.items, one.records_per_s, one.records_per_s / slowest, one.records_per_cpu_s)
        cells = [_cell(number, ",.0f") for number in numbers]
        cells += [_cell(one.load_s, ".2f"), _cell(one.memory_mb, ".0f")]
        shares = ", ".join(f"{name} {share:.0%}" for name, share in one.shares.items())
        print(f"{one.way:34}{''.join(cells)}  {shares}")
    print(f"\ncold start: {sum(cold.values()):.2f} s")
    for step, seconds in cold.items():
        print(f"  {seconds:6.3f} s  {step}")


def _cell(number: float | None, form: str) -> str:
    return f"{'' if number is None else format(number, form):>11}"


def quiet(work: Callable[[], object]) -> None:
    """Run `work` without the log lines and metrics that the function writes to standard output."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a file descriptor is wanted
        os.dup2(nowhere.fileno(), 1)
        try:
            work()
            sys.stdout.flush()
        finally:
            os.dup2(kept, 1)
            os.close(kept)


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """Run a PostgreSQL and the AWS APIs of our own, with a published model."""
    folder.chmod(0o755)  # PostgreSQL runs as another user when we are root
    password = secrets.token_urlsafe(16)
    create_cluster(folder / "data", user="bench", password=password, database="bench")
    server = PostgresProcess(folder / "data", find_free_port(), folder / "postgres.log")
    server.start()
    address = DatabaseAddress(LOOPBACK, server.port, "bench", "bench", password, sslmode="disable")
    try:
        with connect(address) as connection:
            apply_migrations(connection, CHECKOUT / "sql")
            register_vector_types(connection)
        with emulator(folder) as aws:
            login = json.dumps({"username": "bench", "password": password})
            secret = aws.client("secretsmanager").create_secret(Name="bench", SecretString=login)
            aws.client("s3").create_bucket(Bucket="bench")
            model = train(training_table(), model_version="bench")
            write_artifacts(model, aws.client("s3"), "bench")
            yield Stack(aws, address, secret["ARN"], "bench", model)
    finally:
        server.stop()


@contextmanager
def emulator(folder: Path) -> Iterator[Aws]:
    port = find_free_port()
    settings = {"BIND_HOST": LOOPBACK, "MINISTACK_HOST": LOOPBACK, "GATEWAY_PORT": str(port)}
    settings |= {"STATE_DIR": str(folder / "state"), "S3_DATA_DIR": str(folder / "s3")}
    settings |= {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-c", "from ministack import app; app.main()"]
    with (folder / "emulator.log").open("wb") as log:
        process = subprocess.Popen(command, env=kept | settings, cwd=folder, stdout=log, stderr=log)
    aws = Aws("us-east-1", endpoint_url=f"http://{LOOPBACK}:{port}", credentials=Credentials("test", "test"))
    try:
        while True:
            try:
                aws.client("s3").list_buckets()
                break
            except EndpointConnectionError:
                time.sleep(0.1)
        yield aws
    finally:
        process.kill()
        process.wait()


def training_table() -> pa.Table:
    """Return the ratings of the sample data, joined as the ETL job joins them."""
    data = generate_sample()
    customers = {row[0]: dict(zip(CUSTOMERS.column_names, row, strict=True)) for row in data.customers}
    products = {row[0]: dict(zip(PRODUCTS.column_names, row, strict=True)) for row in data.products}
    ratings = (dict(zip(RATINGS.column_names, row, strict=True)) for row in data.ratings)
    rows = [{**customers[one["customerNumber"]], **products[one["productCode"]], **one} for one in ratings]
    return pa.Table.from_pylist(rows)


if __name__ == "__main__":
    main()
