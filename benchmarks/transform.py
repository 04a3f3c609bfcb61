"""The streaming transform beside the design it replaces, for catalogues of several sizes, and its cold start.

Both use the same model and the same PostgreSQL, and one core for their arithmetic. Every event has a user and
products of its own, where there are enough: the transform looks for what is the same only once.

    python -m benchmarks.transform --items 110 10000 100000 1000000
"""

import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
from threadpoolctl import threadpool_limits

from benchmarks.replaced_inference import Caller, replaced_inference
from benchmarks.transform_stack import CHECKOUT, LIMIT, Stack, fill_items, stack
from vectorops.functions.configuration import Configuration
from vectorops.functions.deadline import Deadline
from vectorops.functions.runtime import open_store
from vectorops.functions.store import Recommender
from vectorops.functions.transform import Transform
from vectorops.infra.packages import build_functions
from vectorops.recommender.catalogue import Found, Search
from vectorops.recommender.inference import UserModel
from vectorops.settings import Environment, Project

T = TypeVar("T")
BATCH, REPLACED_BATCH = 500, 15
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
class Figure:
    """Records per second of one way over a catalogue of one size.

    Attributes:
        records_per_s: By the clock; of the median batch, or record where each goes alone.
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
    with tempfile.TemporaryDirectory() as name, stack(Path(name)) as around, threadpool_limits(1):
        figures = [one for items in options.items for one in measure(around, Path(name), items, options)]
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
    sizes = [110, 10_000, 100_000]
    parser.add_argument("--items", type=int, nargs="+", default=sizes, help="catalogue sizes")
    parser.add_argument("--rounds", type=int, default=20, help=f"batches of {BATCH} records per figure")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    return parser.parse_args()


def measure(around: Stack, folder: Path, items: int, options: argparse.Namespace) -> list[Figure]:
    """Measure all ways in turns; the replaced design over the first size only, which favours it."""
    print(f"filling a catalogue of {items:,} items", flush=True)
    codes = fill_items(around, items)
    tower = around.model.files.user_tower
    with ExitStack() as endpoints:
        ways = [
            transform_way(around, "transform, in memory", CATALOGUE_BUDGET_MB="4096"),
            transform_way(around, "transform, through the index", CATALOGUE_BUDGET_MB="0"),
        ]
        if items == options.items[0]:
            caller = endpoints.enter_context(replaced_inference(around.database, tower, folder, limit=LIMIT))
            ways.append(replaced_way(caller))
        for way in ways:
            way.take([make_event(codes, 0)])
            way.forget()
        for number in range(options.rounds):
            for way in ways:
                first = 1 + number * BATCH
                way.take([make_event(codes, one) for one in range(first, first + way.records)])
    return [way.figure(items) for way in ways]


@dataclass
class Way:
    """One way to recommend.

    Attributes:
        prepare: From events to what `run` takes; not measured.
        records: How many it gets in each round.
        spent: Seconds of its parts, which `run` adds to.
        seconds: Of each round, by the clock.
        cpu_s: Processor time of this process in all rounds.
    """

    name: str
    prepare: Callable[[list[Any]], Any]
    run: Callable[[Any], object]
    records: int
    spent: dict[str, float]
    load_s: float | None = None
    memory_mb: float | None = None
    seconds: list[float] = field(default_factory=list)
    cpu_s: float = 0

    def take(self, events: list[Any]) -> None:
        """Run one round."""
        prepared = self.prepare(events)
        cpu_started, started = time.process_time(), time.perf_counter()
        self.run(prepared)
        self.seconds.append(time.perf_counter() - started)
        self.cpu_s += time.process_time() - cpu_started

    def forget(self) -> None:
        """Start counting anew."""
        self.seconds, self.cpu_s = [], 0.0
        self.spent.update(dict.fromkeys(self.spent, 0.0))

    def figure(self, items: int) -> Figure:
        """Return what came out."""
        shares = {part: seconds / sum(self.seconds) for part, seconds in self.spent.items()}
        if shares:
            shares["JSON and the rest"] = 1 - sum(shares.values())
        rate = self.records / statistics.median(self.seconds)
        per_cpu_s = self.records * len(self.seconds) / self.cpu_s if self.spent else None
        return Figure(self.name, items, rate, per_cpu_s, shares, self.load_s, self.memory_mb)


def transform_way(around: Stack, name: str, **variables: str) -> Way:
    configuration = Configuration.from_environ(around.environ(**variables))
    store = open_store(configuration, around.aws, is_patient=False)
    before, started = psutil.Process().memory_info().rss, time.perf_counter()
    current = store.recommender(Deadline(600))
    load_s, memory = time.perf_counter() - started, psutil.Process().memory_info().rss - before
    spent = {"model": 0.0, "search": 0.0, "freshness": 0.0}
    measured = Recommender(TimedModel(current.model, spent), TimedCatalogue(current.catalogue, spent), "")

    def ask(deadline: Deadline) -> Recommender:
        begin = time.perf_counter()
        store.recommender(Deadline(600))
        spent["freshness"] += time.perf_counter() - begin
        return measured

    transform = Transform(configuration, ask)

    def run(event: dict[str, Any]) -> None:
        quiet(lambda: transform(event, None))

    return Way(name, firehose_event, run, BATCH, spent, load_s, memory / 1e6)


def replaced_way(caller: Caller) -> Way:
    def run(events: list[dict[str, Any]]) -> None:
        for event in events:
            json.dumps({**event, **caller.recommend(event)})

    return Way("replaced: three calls per record", list, run, REPLACED_BATCH, {})


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
        input=json.dumps(firehose_event([make_event(["unknown"], n) for n in range(BATCH)])),
        env=kept | around.environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    total = time.perf_counter() - started
    steps: dict[str, float] = json.loads(done.stdout)
    return {"start Python": total - sum(steps.values()), **steps}


def firehose_event(events: list[dict[str, Any]]) -> dict[str, Any]:
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


def quiet(work: Callable[[], T]) -> T:
    """Return the result of `work`, whose log lines and metrics go nowhere."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a file descriptor is wanted
        os.dup2(nowhere.fileno(), 1)
        try:
            return work()
        finally:
            sys.stdout.flush()
            os.dup2(kept, 1)
            os.close(kept)


if __name__ == "__main__":
    main()
