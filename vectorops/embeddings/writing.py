"""How the rows of a load get into the table: straight into an empty one, else by way of the staging table."""

from typing import Any

import psycopg
from psycopg import errors

from vectorops.embeddings import staging
from vectorops.embeddings.batch import Reject
from vectorops.embeddings.intake import Intake
from vectorops.embeddings.preflight import Plan
from vectorops.embeddings.staging import Changes
from vectorops.embeddings.text import quote


def write(connection: psycopg.Connection[Any], intake: Intake) -> Changes:
    """Insert and update, inside the caller's transaction."""
    inserted = _copy_into_empty_table(connection, intake)
    if inserted is not None:
        return Changes(inserted, 0)
    _stage(connection, intake)
    return staging.merge_staging(connection, intake.plan.table)


def compare(connection: psycopg.Connection[Any], intake: Intake) -> Changes:
    """Return what `write` would change now."""
    _stage(connection, intake)
    return staging.compare_staging(connection, intake.plan.table)


def _copy_into_empty_table(connection: psycopg.Connection[Any], intake: Intake) -> int | None:
    """Return how many rows were copied, or None, with all as before, where it takes the staging table.

    It takes that for an id given twice, to tell which row is the second, and so the files are read again.
    """
    table, files = intake.plan.table, intake.plan.files
    can_read_again = all(file.source.can_reopen for file in files)
    if not (can_read_again and staging.try_lock(connection, table) and staging.takes_copy(connection, table)):
        return None
    try:
        with connection.transaction():
            return staging.copy_into_table(connection, table, intake.chunks(with_places=False))
    except (errors.UniqueViolation, errors.DeadlockDetected):
        intake.restart()
        return None


def _stage(connection: psycopg.Connection[Any], intake: Intake) -> None:
    staging.create_staging(connection, intake.plan.table)
    staging.copy_into_staging(connection, intake.plan.table, intake.chunks(with_places=True))
    if staging.has_duplicates(connection):
        duplicates = staging.read_duplicates(connection)
        intake.rejects.add(_reject(duplicate, intake.plan) for duplicate in duplicates)
        staging.delete_duplicates(connection)


def _reject(duplicate: staging.Duplicate, plan: Plan) -> Reject:
    first = f"{plan.files[duplicate.first_source].source.name} line {duplicate.first_line}"
    return Reject(
        plan.files[duplicate.source].source.name,
        duplicate.line,
        f"the id {quote(duplicate.id)} is in {first} already",
        f'{duplicate.id},"{duplicate.vector}"',
    )
