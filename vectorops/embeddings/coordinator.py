"""A load by several processes: what one process does before and after the others stage the files.

The process that started this one starts the others: Spark does, on Glue. They talk by lines of text. This
one reads a request; prints `SHARES_MARK` and a list of assignments for `worker`; reads the workers' answers,
or why there are none; and prints `END_MARK` and how it ended.
"""

import json
import select
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from vectorops.database.connection import DatabaseAddress, connect
from vectorops.database.machine import Machine
from vectorops.embeddings.assignment import (
    REJECTS,
    REPORT,
    Assignment,
    Database,
    describe_error,
    first_error,
    rejects_key,
)
from vectorops.embeddings.batch import Reject
from vectorops.embeddings.intake import Intake, OnProgress
from vectorops.embeddings.load import LoadReport, load_embeddings
from vectorops.embeddings.preflight import Columns, Plan
from vectorops.embeddings.rejects import Rejects, RejectsFile, StopAtFirst, read_rejects
from vectorops.embeddings.shares import share_out
from vectorops.embeddings.sources import find_sources
from vectorops.embeddings.staging_area import Part, StagingArea, use_area
from vectorops.embeddings.writing import Way
from vectorops.errors import DatabaseError, JobFailedError, VectorOpsError

SHARES_MARK = "VECTOROPS_SHARES "
END_MARK = "VECTOROPS_END "
# The CLI reads a run's figures from such a line of its log.
METRICS_MARK = "VECTOROPS_METRICS "
# Connections that streams leave to others.
_RESERVE = 10
_PAUSE_S = 5.0
_METRICS = ("table", "read", "inserted", "updated", "unchanged", "rejected", "bytes_read", "elapsed_s")

OnWait = Callable[[], None]
Run = Callable[[Sequence[Assignment], OnWait], list[str]]


@dataclass(frozen=True)
class Request:
    """A load.

    Attributes:
        sources: "s3://" URLs of objects, or of prefixes, which end in "/".
        table: "item_emb" or "schema.item_emb".
        results: "s3://bucket/prefix/" for what the load leaves: "report.json", and "rejects.csv" if any.
        max_streams: How many processes may write at the same time, as far as there are connections.
        way: Arguments of `Way`, the machine's as an object.
        options: Further arguments of `load_embeddings`.
    """

    database: Database
    sources: Sequence[str]
    table: str
    results: str
    max_streams: int
    way: dict[str, Any]
    options: dict[str, Any]

    @classmethod
    def from_json(cls, text: str) -> "Request":
        """Return what the JSON object says."""
        values = json.loads(text)
        return cls(**values | {"database": Database(**values["database"])})

    @property
    def stops(self) -> bool:
        """Whether the first row that cannot be loaded ends the load."""
        return bool(self.options.get("on_error", "stop") == "stop")

    @property
    def columns(self) -> Columns:
        """What the columns are called in the files."""
        return Columns(self.options.get("id_column"), self.options.get("vector_column"))


def coordinate(request: Request, s3: Any, address: DatabaseAddress, run: Run) -> LoadReport:
    """Load the request's sources into its table, as `load_embeddings` does.

    Args:
        request: What to load.
        s3: Client for the sources and the results.
        address: Of the database.
        run: Runs `worker` for each assignment, calls back now and then, and returns what they print.

    Raises:
        VectorOpsError: As `load_embeddings` does. Nothing has changed.
    """
    sources = find_sources(request.sources, s3=s3)
    machine = request.way.get("machine")
    way = {**request.way, "machine": Machine(**machine) if machine else None}
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(connect(address)) as connection,
        closing(connect(address)) as control,
        StagingArea(control) as area,
    ):

        def open_intake(plan: Plan, rejects: Rejects, on_progress: OnProgress) -> Intake:
            return _SpreadIntake(plan, rejects, on_progress, request, area, s3, run)

        return load_embeddings(
            connection,
            sources,
            table=request.table,
            way=Way(**way, on_phase=_say),
            rejects=StopAtFirst() if request.stops else _RejectsInS3(Path(folder), s3, request.results),
            open_intake=open_intake,
            on_progress=lambda rows, bytes_read: _say(f"read {rows:,} rows, {bytes_read / 1e6:,.0f} MB"),
            **request.options,
        )


class _RejectsInS3(RejectsFile):
    """A rejects file that appears in S3."""

    def __init__(self, folder: Path, s3: Any, results: str) -> None:
        super().__init__(folder / "rejects.csv")
        self._s3, self._place = s3, urlsplit(results)

    def publish(self) -> None:
        """Let the file appear."""
        super().publish()
        if self.path:
            key = f"{self._place.path.lstrip('/')}{REJECTS}"
            self._s3.upload_file(str(self.path), self._place.netloc, key)


class _SpreadIntake(Intake):
    """Has other processes stage the files."""

    can_restart = False

    def __init__(
        self,
        plan: Plan,
        rejects: Rejects,
        on_progress: OnProgress,
        request: Request,
        area: StagingArea,
        s3: Any,
        run: Run,
    ) -> None:
        super().__init__(plan, rejects, on_progress)
        self._request, self._area, self._s3, self._run = request, area, s3, run

    def stage(self, connection: psycopg.Connection[Any]) -> None:
        """Have all rows put into the staging table of the area."""
        self._area.create_tables(connection, self.plan.table)
        answers = self._run(self._assignments(), self._show_progress) if self.plan.files else []
        if error := first_error(answers):
            raise error
        parts = self._area.parts()
        try:
            self.rejects.add(reject for part in parts for reject in self._rejects_of(part))
        finally:
            self._delete_rejects(parts)
        if len(parts) < len(self.plan.files):
            missing = f"{len(self.plan.files) - len(parts)} of {len(self.plan.files)} files are not staged"
            raise DatabaseError("the load is not complete", why=missing, hint="run it again")
        for part in parts:
            self.read += part.rows
            self.bytes_before += part.bytes_read
        use_area(connection, self._area.schema)

    def _assignments(self) -> list[Assignment]:
        request, files = self._request, self.plan.files
        streams = min(request.max_streams, self._area.free_connections() - _RESERVE)
        if streams < 1:
            raise DatabaseError(
                "the database has no connection to spare",
                why=f"{_RESERVE} are left for others",
                hint="close some, or raise max_connections",
            )
        shares = share_out([file.source.size_bytes or 0 for file in files], streams)
        _say(f"{len(files):,} files in {len(shares)} streams")
        return [
            Assignment(
                request.database,
                self._area.schema,
                self.plan.table,
                self.plan.created,
                request.columns,
                request.stops,
                request.results,
                {number: files[number].source.name for number in share},
            )
            for share in shares
        ]

    def _show_progress(self) -> None:
        parts = self._area.parts()
        self._on_progress(sum(part.rows for part in parts), sum(part.bytes_read for part in parts))

    def _rejects_of(self, part: Part) -> Iterator[Reject]:
        if not part.rejected:
            return
        with tempfile.TemporaryFile() as file:
            self._s3.download_fileobj(*self._rejects_place(part), file)
            file.seek(0)
            yield from read_rejects(file)

    def _delete_rejects(self, parts: Sequence[Part]) -> None:
        for bucket, key in (self._rejects_place(part) for part in parts if part.rejected):
            self._s3.delete_object(Bucket=bucket, Key=key)

    def _rejects_place(self, part: Part) -> tuple[str, str]:
        place = urlsplit(self._request.results)
        return place.netloc, rejects_key(place.path.lstrip("/"), part.source)


def main() -> int:
    """Do what the request on standard input says."""
    request = Request.from_json(sys.stdin.readline())
    aws = request.database.aws()
    s3 = aws.client("s3")
    try:
        report = coordinate(request, s3, request.database.address(aws), _ask_for_workers)
    except VectorOpsError as exc:
        _put_report(s3, request, {"error": describe_error(exc)})
        print(f"{END_MARK}{json.dumps({'error': str(exc)})}", flush=True)
        return exc.exit_code
    values = asdict(report) | {"rejects_path": None}
    _put_report(s3, request, {"report": values})
    _say(f"{METRICS_MARK}{json.dumps({name: values[name] for name in _METRICS})}")
    print(f"{END_MARK}{{}}", flush=True)
    return 0


def _put_report(s3: Any, request: Request, content: dict[str, Any]) -> None:
    place = urlsplit(request.results)
    key = f"{place.path.lstrip('/')}{REPORT}"
    s3.put_object(Bucket=place.netloc, Key=key, Body=json.dumps(content).encode())


def _ask_for_workers(assignments: Sequence[Assignment], on_wait: OnWait) -> list[str]:
    """Have the starting process run the workers."""
    lines = json.dumps([assignment.to_json() for assignment in assignments])
    print(f"{SHARES_MARK}{lines}", flush=True)
    while not select.select([sys.stdin], [], [], _PAUSE_S)[0]:
        on_wait()
    answer = json.loads(sys.stdin.readline() or '{"error": "the process that runs the workers has ended"}')
    if "error" in answer:
        raise JobFailedError("a stream of the load failed", why=answer["error"], hint="nothing has changed")
    on_wait()
    return list(answer["answers"])


def _say(message: str) -> None:
    """Write a line to the job's log."""
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
