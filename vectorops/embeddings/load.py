"""Loading embeddings into a table: all of it, or nothing."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import psycopg

from vectorops.database.connection import database_errors
from vectorops.database.kept_tables import count_left_behind
from vectorops.database.load_lock import take_load_lock, try_load_lock
from vectorops.database.load_log import IndexStrategy, Load, LoadMode, record_load, server_time
from vectorops.database.side_tables import side_table
from vectorops.database.tables import VectorTable
from vectorops.embeddings.intake import Intake, OnProgress
from vectorops.embeddings.preflight import Columns, Plan, prepare
from vectorops.embeddings.rejects import Rejects, RejectsFile, StopAtFirst, default_path
from vectorops.embeddings.resuming import ResumableLoad, discard_interrupted
from vectorops.embeddings.sources import Source
from vectorops.embeddings.writing import Outcome, Way, compare, finish, write


@dataclass(frozen=True)
class LoadReport:
    """What a load did; `read` is the sum of the four counts after it.

    Attributes:
        table: With its schema.
        read: Rows in the sources.
        inserted: Rows whose ids were new.
        updated: Rows whose vectors were others.
        unchanged: Rows that the table held already, to the bit.
        rejected: Rows that were not loaded.
        rejects_path: File that holds them, or None when there is none.
        ignored_columns: Columns of the files that the table does not have, or of a type that is not loaded.
        empty_files: Sources without rows, which were passed over.
        bytes_read: Of the sources as they are stored.
        checksum: SHA-256 of those bytes, in the order of the sources; None where some were read before, or by
            other processes.
        elapsed_s: Seconds from the call to the commit.
        created: Whether the table was made for this load.
        dry_run: Whether nothing was written; the counts say what would have been.
        index_strategy: "insert" if rows went through the indexes, "rebuild" if into a new table; None where
            there were none.
        index_reason: Why so, for people.
        kept: Name of the table that was replaced and can be rolled back to, or None.
        resumed_files: Files that an interrupted load had read to their ends.
        left_behind: Rows that others inserted or updated in the old table while the new one was made.
    """

    table: str
    read: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    rejects_path: Path | None
    ignored_columns: tuple[str, ...]
    empty_files: tuple[str, ...]
    bytes_read: int
    checksum: str | None
    elapsed_s: float
    created: bool
    dry_run: bool
    mode: LoadMode
    index_strategy: IndexStrategy | None
    index_reason: str
    kept: str | None
    left_behind: int
    resumed_files: int


def load_embeddings(
    connection: psycopg.Connection[Any],
    sources: Sequence[Source],
    *,
    table: str,
    way: Way | None = None,
    create: bool = False,
    on_error: Literal["stop", "reject"] = "stop",
    rejects_path: Path | None = None,
    dry_run: bool = False,
    id_column: str | None = None,
    vector_column: str | None = None,
    model_version: str | None = None,
    on_progress: OnProgress = lambda rows, bytes_read: None,
    rejects: Rejects | None = None,
    open_intake: Callable[[Plan, Rejects, OnProgress], Intake] = Intake,
) -> LoadReport:
    """Load embeddings in one transaction: insert or update, append, or replace the table.

    Killed at any moment, it leaves the table as it was or completely loaded. Rows that are there already are
    not rewritten. A table that is replaced stays as it is, for readers and writers, until the new one is
    complete; what is written to it meanwhile stays in it, and it is kept for `kept_tables.roll_back`.

    Args:
        connection: From `vectorops.database.connection.connect`, outside a transaction.
        sources: Files of any format that `files.open_file` knows, from `find_sources`.
        table: "item_emb" or "schema.item_emb".
        way: How to load: mode, indexes, memory; by default rows are inserted or updated.
        create: Create the table when it is missing, with the dimension and the kind of ids that the first
            source begins with.
        on_error: "stop" refuses the whole load at the first row that cannot be loaded; "reject" puts such
            rows into a file and loads the rest. Of rows with the same id, the first counts.
        rejects_path: That file; by default one in the working folder, named after table and time.
        dry_run: Check every row and count what would change, and write nothing.
        id_column: What the id column is called in the files, instead of as in the table, or "id".
        vector_column: What the vector column is called in the files, instead of as in the table, "embedding",
            or "vector".
        model_version: For the log of loads: what made the vectors.
        on_progress: Called with the number of rows and of bytes read so far.
        rejects: What becomes of rows that cannot be loaded, instead of what `on_error` says.
        open_intake: How the files become staged rows; by default this process reads them.

    Returns:
        True counts of what was committed.

    Raises:
        InputDataError: A source is none that can be read or none for this table, or `on_error` is "stop" and
            a row cannot be loaded. Nothing has changed.
        UsageError: An argument or the table's id type is none that can be.
        DatabaseError: There is no such table, or PostgreSQL refused. Nothing has changed.
        AwsError: S3 refused. Nothing has changed.
    """
    way = way or Way()
    columns = Columns(id_column, vector_column)
    if rejects is None:
        rejects = RejectsFile(rejects_path or default_path(table)) if on_error == "reject" else StopAtFirst()
    loading = _Loading(
        connection,
        lambda: prepare(
            connection, sources, table, create=create, columns=columns, may_be_empty=way.mode == "replace"
        ),
        lambda plan: open_intake(plan, rejects, on_progress),
        rejects,
        way,
        model_version,
    )
    is_resumable = way.resume and not dry_run
    hint = "what was read is kept: load again with --resume" if is_resumable else "nothing has changed"
    with rejects, database_errors(f"cannot load into '{table}'", hint=hint):
        if dry_run:
            return loading.check()
        if not way.resume:
            return loading.run()
        kind = (way.mode, on_error, columns)
        return loading.resume(
            ResumableLoad(connection, table, kind, group_bytes=way.group_bytes, on_phase=way.on_phase)
        )


class _Loading:
    """One load; of its methods one is called, once."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        plan: Callable[[], Plan],
        intake: Callable[[Plan], Intake],
        rejects: Rejects,
        way: Way,
        model_version: str | None,
    ) -> None:
        self._connection = connection
        self._plan = plan
        self._intake = intake
        self._rejects = rejects
        self._way = way
        self._model_version = model_version
        self._started = time.monotonic()

    def check(self) -> LoadReport:
        """Count what the load would do."""
        with self._connection.transaction(force_rollback=True):
            intake = self._intake(self._plan())
            outcome = compare(self._connection, intake, self._way)
        return self._timed(_report(intake, self._way, outcome, dry_run=True))

    def run(self) -> LoadReport:
        """Load in one transaction."""
        started_at = server_time(self._connection)
        with self._connection.transaction():
            intake = self._intake(self._plan())
            self._take_turns(intake.plan.table)
            if discard_interrupted(self._connection, intake.plan.table):
                self._way.on_phase("dropping what an interrupted load with --resume has read")
            outcome = write(self._connection, intake, self._way)
            report = self._conclude(intake, outcome, started_at)
        return self._timed(self._count_left_behind(report, intake.plan.table, outcome))

    def resume(self, load: ResumableLoad) -> LoadReport:
        """Stage what is not staged yet, and load all that is staged in one transaction."""
        started_at = server_time(self._connection)
        with load.alone():
            intake = self._intake(load.begin(self._plan))
            resumed_files = load.stage(intake)
            with self._connection.transaction():
                if intake.plan.created:
                    intake.plan = replace(self._plan(), files=intake.plan.files)
                self._take_turns(intake.plan.table)
                with load.staged():
                    load.read_result(intake)
                    outcome = write(self._connection, intake, self._way)
                report = replace(self._conclude(intake, outcome, started_at), resumed_files=resumed_files)
        return self._timed(self._count_left_behind(report, intake.plan.table, outcome))

    def _take_turns(self, table: VectorTable) -> None:
        # Before anything of the table is locked: one of two may replace it, and would wait for the other.
        if not try_load_lock(self._connection, table):
            self._way.on_phase("waiting for another load of this table")
            take_load_lock(self._connection, table)

    def _conclude(self, intake: Intake, outcome: Outcome, started_at: datetime) -> LoadReport:
        report = _report(intake, self._way, outcome, dry_run=False)
        entry = _log_entry(report, intake.plan, started_at, self._model_version)
        record_load(self._connection, entry)
        self._rejects.publish()
        finish(self._connection, intake.plan.table, outcome, self._way)
        return report

    def _count_left_behind(self, report: LoadReport, table: VectorTable, outcome: Outcome) -> LoadReport:
        if outcome.snapshot is None:
            return report
        left_behind = count_left_behind(self._connection, table, outcome.snapshot)
        return replace(report, left_behind=left_behind)

    def _timed(self, report: LoadReport) -> LoadReport:
        return replace(report, elapsed_s=time.monotonic() - self._started)


def _report(intake: Intake, way: Way, outcome: Outcome, *, dry_run: bool) -> LoadReport:
    plan, rejects, changes = intake.plan, intake.rejects, outcome.changes
    return LoadReport(
        table=plan.table.full_name,
        read=intake.read,
        inserted=changes.inserted,
        updated=changes.updated,
        unchanged=intake.read - rejects.count - changes.inserted - changes.updated,
        rejected=rejects.count,
        rejects_path=None if dry_run else rejects.path,
        ignored_columns=plan.ignored,
        empty_files=plan.empty_files,
        bytes_read=intake.bytes_read,
        checksum=intake.checksum,
        elapsed_s=0.0,
        created=plan.created,
        dry_run=dry_run,
        mode=way.mode,
        index_strategy=outcome.strategy,
        index_reason=outcome.reason,
        left_behind=0,
        resumed_files=0,
        kept=side_table(plan.table, "kept").full_name if outcome.successor else None,
    )


def _log_entry(report: LoadReport, plan: Plan, started_at: datetime, model_version: str | None) -> Load:
    return Load(
        table_name=report.table,
        sources=[file.source.name for file in plan.files],
        checksum=report.checksum,
        started_at=started_at,
        rows_read=report.read,
        rows_inserted=report.inserted,
        rows_updated=report.updated,
        rows_unchanged=report.unchanged,
        rows_rejected=report.rejected,
        model_version=model_version,
        mode=report.mode,
        index_strategy=report.index_strategy,
        bytes_read=report.bytes_read,
    )
