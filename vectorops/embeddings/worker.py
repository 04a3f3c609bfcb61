"""One stream of a load by several processes: reads an assignment, stages its files, one transaction each.

A process of its own, so that what Spark's Python has imported is not mixed with what this package brings.
"""

import json
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from vectorops.database.connection import connect, database_errors
from vectorops.embeddings import staging
from vectorops.embeddings.assignment import Assignment, describe_error, rejects_key
from vectorops.embeddings.batch import Reject
from vectorops.embeddings.intake import Intake
from vectorops.embeddings.preflight import Plan, open_for
from vectorops.embeddings.rejects import RejectsFile
from vectorops.embeddings.sources import find_sources
from vectorops.embeddings.staging_area import Part, claim_part, finish_part, has_rejects, use_area
from vectorops.errors import InputDataError, UsageError, VectorOpsError


class _FirstRejectError(Exception):
    """Another row is not looked at."""


class _FirstReject(RejectsFile):
    """Takes one reject."""

    def add(self, rejects: Iterable[Reject]) -> None:
        for reject in rejects:
            super().add([reject])
            raise _FirstRejectError


def stage_files(assignment: Assignment, connection: psycopg.Connection[Any], s3: Any) -> list[dict[str, str]]:
    """Stage the files of an assignment that no other attempt has staged.

    Args:
        assignment: Whose area is there.
        connection: Autocommit connection.
        s3: Client for the files and the rejects.

    Returns:
        Errors that another attempt would meet too, each with the number of its "file".

    Raises:
        VectorOpsError: Another attempt may help. What was committed stays.
    """
    use_area(connection, assignment.schema)
    problems = []
    for number, url in assignment.files.items():
        try:
            stage_file(assignment, connection, s3, number, url)
        except (InputDataError, UsageError) as exc:
            problems.append({**describe_error(exc), "file": str(number)})
            break
    return problems


def stage_file(
    assignment: Assignment, connection: psycopg.Connection[Any], s3: Any, number: int, url: str
) -> None:
    """Stage the rows of one file and write its rejects to S3, or do nothing if that is done already."""
    with (
        tempfile.TemporaryDirectory() as folder,
        database_errors(f"cannot stage {url}"),
        connection.transaction(),
    ):
        if (assignment.stops and has_rejects(connection)) or not claim_part(connection, number):
            return
        path = Path(folder) / "rejects.csv"
        with _FirstReject(path) if assignment.stops else RejectsFile(path) as rejects:
            intake = _intake(assignment, s3, number, url, rejects)
            _copy(connection, intake)
            rejects.publish()
        if rejects.count:
            place = urlsplit(assignment.rejects)
            s3.upload_file(str(path), place.netloc, rejects_key(place.path.lstrip("/"), number))
        finish_part(connection, Part(number, intake.read, rejects.count, intake.bytes_read))


def _intake(assignment: Assignment, s3: Any, number: int, url: str, rejects: RejectsFile) -> Intake:
    (source,) = find_sources([url], s3=s3)
    file = open_for(source, None if assignment.is_new else assignment.table, assignment.columns)
    plan = Plan(assignment.table, [file], created=False)
    return Intake(plan, rejects, lambda rows, bytes_read: None, first_number=number)


def _copy(connection: psycopg.Connection[Any], intake: Intake) -> None:
    try:
        with connection.transaction():
            chunks = intake.chunks(with_places=True)
            staging.copy_into_staging(connection, intake.plan.table, chunks)
    except _FirstRejectError:
        pass  # The load ends, so the rows before it are not needed.


def main() -> int:
    """Stage what the assignment on standard input says; print what cannot be staged, as JSON."""
    assignment = Assignment.from_json(sys.stdin.read())
    try:
        aws = assignment.database.aws()
        with closing(connect(assignment.database.address(aws))) as connection:
            errors = stage_files(assignment, connection, aws.client("s3"))
    except VectorOpsError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
    print(json.dumps({"errors": errors}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
