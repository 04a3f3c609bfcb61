"""How the rows of a load get into the table: straight, by way of the staging table, or into a new table."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import errors, sql

from vectorops.database.index_build import session_settings
from vectorops.database.index_plan import rebuild_settings
from vectorops.database.indexes import vector_indexes
from vectorops.database.kept_tables import record_kept_table, take_snapshot
from vectorops.database.load_log import IndexStrategy, LoadMode
from vectorops.database.machine import Machine, server_machine
from vectorops.database.replaceable import check_replaceable
from vectorops.database.successor import check_successor, complete_successor, create_successor
from vectorops.database.swap import SWAP_PATIENCE_S, swap
from vectorops.database.tables import VectorTable
from vectorops.embeddings import staging
from vectorops.embeddings.batch import Reject
from vectorops.embeddings.comparing import is_loaded
from vectorops.embeddings.intake import Intake
from vectorops.embeddings.preflight import Plan
from vectorops.embeddings.staging import Changes
from vectorops.embeddings.strategy import choose_strategy
from vectorops.embeddings.text import quote
from vectorops.errors import InputDataError

_ATTEMPTS = 3


@dataclass(frozen=True)
class Way:
    """How to load.

    Attributes:
        mode: "upsert" updates rows whose ids are there, "append" rejects them, "replace" puts a new table
            with the rows of the load in the place of the old one.
        index_strategy: "insert" writes through the indexes of the table, "rebuild" makes a new table and
            indexes it, "auto" does what takes less time.
        machine: The server's, whose memory building may use, or None for what its settings let one guess.
        allow_empty: Whether a table may be replaced by one without rows.
        swap_patience_s: How long the swap tries while others use the table all the time, in seconds.
        resume: Whether to keep what is read when the load is interrupted, and to go on there the next time.
        group_bytes: Then about so much is committed at once, and is what an interruption costs at most.
        on_phase: Called with what begins, for people.
    """

    mode: LoadMode = "upsert"
    index_strategy: Literal["auto", "insert", "rebuild"] = "auto"
    machine: Machine | None = None
    allow_empty: bool = False
    swap_patience_s: float = SWAP_PATIENCE_S
    resume: bool = False
    group_bytes: int = 64 << 20
    on_phase: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class Outcome:
    """What was written.

    Attributes:
        changes: In rows.
        strategy: How the rows met the vector indexes, or None where there were none.
        reason: Why so, for people.
        successor: Table that is to take the place of the one loaded, or None.
        snapshot: From before the new table was filled, when writers of the old one were not kept waiting.
    """

    changes: Changes
    strategy: IndexStrategy | None = None
    reason: str = ""
    successor: VectorTable | None = None
    snapshot: str | None = None


def write(connection: psycopg.Connection[Any], intake: Intake, way: Way) -> Outcome:
    """Write the rows, inside the caller's transaction; `finish` makes a new table the one in use.

    The caller has the lock of loads into the table.
    """
    table = intake.plan.table
    if intake.plan.created:
        return Outcome(_fill_created(connection, intake, way))
    if way.mode == "replace":
        return _replace(connection, intake, way)
    may_be_loaded = way.mode == "upsert" and way.index_strategy != "rebuild" and _can_read_again(intake)
    if may_be_loaded and is_loaded(connection, intake):
        return Outcome(Changes(0, 0))
    if not vector_indexes(connection, table):
        copied = _copy(connection, intake, table, may_have_rows=way.mode == "append")
        if copied is not None:
            return Outcome(Changes(copied, 0))
    _stage(connection, intake)
    if way.mode == "append":
        _reject_present(connection, intake)
    return _write_staged(connection, intake, way)


def compare(connection: psycopg.Connection[Any], intake: Intake, way: Way) -> Outcome:
    """Return what `write` would change now."""
    table = intake.plan.table
    if way.mode == "replace" and not intake.plan.created:
        check_replaceable(connection, table)
        table = create_successor(connection, table)
    _stage(connection, intake)
    if way.mode == "append":
        _reject_present(connection, intake)
    return Outcome(staging.compare_staging(connection, table))


def finish(connection: psycopg.Connection[Any], table: VectorTable, outcome: Outcome, way: Way) -> None:
    """Put the new table of `outcome`, if any, in the place of `table`; the caller commits at once."""
    new = outcome.successor
    if new is None:
        return
    way.on_phase("putting the new table in its place")
    swap(
        connection,
        table,
        new,
        check=lambda: check_successor(connection, table, new),
        patience_s=way.swap_patience_s,
    )


def _replace(connection: psycopg.Connection[Any], intake: Intake, way: Way) -> Outcome:
    table = intake.plan.table
    check_replaceable(connection, table)
    snapshot = take_snapshot(connection)
    new = create_successor(connection, table)
    changes = _fill(connection, intake, new)
    if not changes.rows and not way.allow_empty:
        rejected = intake.rejects.count
        raise InputDataError(
            f"there is no row to replace '{table.full_name}' with",
            why=f"{rejected:,} of {intake.read:,} rows were rejected" if rejected else "",
            hint="see why with --on-error stop" if rejected else "an empty table is --allow-empty",
        )
    outcome = Outcome(changes, "rebuild", "the table is replaced", new, snapshot)
    return _complete(connection, table, new, way, outcome)


def _fill_created(connection: psycopg.Connection[Any], intake: Intake, way: Way) -> Changes:
    """Fill a table that nobody else sees yet, and index it afterwards, which is much quicker."""
    table = intake.plan.table
    indexes = vector_indexes(connection, table)
    for index in indexes:
        identifier = sql.Identifier(table.schema, index.name)
        connection.execute(sql.SQL("DROP INDEX {}").format(identifier))
    changes = _fill(connection, intake, table)
    if indexes:
        way.on_phase("building the index")
        settings = rebuild_settings(connection, table, indexes, _machine(connection, way), changes.rows)
        for name, value in session_settings(settings).items():
            connection.execute("SELECT set_config(%s, %s, true)", (name, value))
        for index in indexes:
            connection.execute(index.definition.encode())
    return changes


def _fill(connection: psycopg.Connection[Any], intake: Intake, table: VectorTable) -> Changes:
    copied = _copy(connection, intake, table)
    if copied is not None:
        return Changes(copied, 0)
    _stage(connection, intake)
    return staging.insert_staging(connection, table)


def _copy(
    connection: psycopg.Connection[Any], intake: Intake, table: VectorTable, *, may_have_rows: bool = False
) -> int | None:
    """Return how many rows were copied, or None, with all as before, where it takes the staging table.

    It takes that for an id given twice, to tell which row is the second, and so the files are read again.
    """
    if not (_can_read_again(intake) and staging.takes_copy(connection, table, may_have_rows=may_have_rows)):
        return None
    try:
        with connection.transaction():
            return staging.copy_into_table(connection, table, intake.chunks(with_places=False))
    except (errors.UniqueViolation, errors.DeadlockDetected):
        intake.restart()
        return None


def _can_read_again(intake: Intake) -> bool:
    return intake.can_restart and not intake.is_staged


def _write_staged(connection: psycopg.Connection[Any], intake: Intake, way: Way) -> Outcome:
    table = intake.plan.table
    changes = staging.compare_staging(connection, table)
    choice = choose_strategy(connection, table, changes, way.index_strategy, _machine(connection, way))
    if choice.strategy == "rebuild":
        return _rebuild(connection, intake, way, choice.reason)
    is_append = way.mode == "append"
    changes = _append(connection, intake) if is_append else staging.merge_staging(connection, table)
    return Outcome(changes, choice.strategy, choice.reason)


def _rebuild(connection: psycopg.Connection[Any], intake: Intake, way: Way, reason: str) -> Outcome:
    table = intake.plan.table
    # What others wrote meanwhile would be lost with the old table.
    connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(table.qualified))
    changes = staging.compare_staging(connection, table)
    way.on_phase("writing a new table")
    new = create_successor(connection, table)
    staging.fill_merged(connection, table, new)
    return _complete(connection, table, new, way, Outcome(changes, "rebuild", reason, new))


def _complete(
    connection: psycopg.Connection[Any], table: VectorTable, new: VectorTable, way: Way, outcome: Outcome
) -> Outcome:
    way.on_phase("building the index")
    rows = staging.count_rows(connection, new)
    indexes = vector_indexes(connection, table)
    settings = rebuild_settings(connection, table, indexes, _machine(connection, way), rows)
    complete_successor(connection, table, new, settings)
    record_kept_table(connection, table)
    return outcome


def _machine(connection: psycopg.Connection[Any], way: Way) -> Machine:
    return way.machine or server_machine(connection)


def _stage(connection: psycopg.Connection[Any], intake: Intake) -> None:
    if not intake.is_staged:
        intake.stage(connection)
    if staging.has_duplicates(connection):
        duplicates = staging.read_duplicates(connection)
        intake.rejects.add(_duplicate(one, intake.plan) for one in duplicates)
        staging.delete_duplicates(connection)


def _append(connection: psycopg.Connection[Any], intake: Intake) -> Changes:
    """Insert the staged rows; ids that others insert at the same time are rejected like those before."""
    table = intake.plan.table
    for _ in range(_ATTEMPTS - 1):
        try:
            with connection.transaction():
                return staging.insert_staging(connection, table)
        except (errors.UniqueViolation, errors.DeadlockDetected):
            _reject_present(connection, intake)
    return staging.insert_staging(connection, table)


def _reject_present(connection: psycopg.Connection[Any], intake: Intake) -> None:
    table = intake.plan.table
    present = staging.read_present(connection, table)
    intake.rejects.add(
        _reject(one, intake.plan, f"the id {quote(one.id)} is in the table already") for one in present
    )
    staging.delete_present(connection, table)


def _duplicate(duplicate: staging.Duplicate, plan: Plan) -> Reject:
    first = f"{plan.files[duplicate.first_source].source.name} line {duplicate.first_line}"
    return _reject(duplicate, plan, f"the id {quote(duplicate.id)} is in {first} already")


def _reject(row: staging.Duplicate, plan: Plan, reason: str) -> Reject:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow((row.id, row.vector))
    return Reject(plan.files[row.source].source.name, row.line, reason, text.getvalue())
