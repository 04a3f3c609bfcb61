"""What processes of a load tell each other."""

import json

from vectorops.database.columns import Column
from vectorops.database.tables import VectorTable
from vectorops.embeddings.assignment import (
    Assignment,
    Database,
    describe_error,
    error_from,
    first_error,
    rejects_key,
)
from vectorops.embeddings.preflight import Columns
from vectorops.errors import InputDataError, UsageError

DATABASE = Database("eu-central-1", "database.example.internal", 5432, "vectors", "arn:secret", "verify-full")
TABLE = VectorTable(
    "public",
    "docs",
    "id",
    "character varying",
    20,
    "embedding",
    "vector",
    3,
    (Column("title", "text"),),
    ("lang",),
)


def test_an_assignment_arrives_as_it_was_sent_and_on_one_line() -> None:
    files = {0: "s3://bucket/a\nb.csv", 7: 's3://bucket/"c".csv'}
    sent = Assignment(
        DATABASE, "area", TABLE, True, Columns("code", None), False, "s3://bucket/loads/1/", files
    )
    assert "\n" not in sent.to_json()
    assert Assignment.from_json(sent.to_json()) == sent


def test_an_error_arrives_as_it_was_raised() -> None:
    error = error_from(describe_error(UsageError("what", why="why", hint="hint")))
    assert (type(error), error.what, error.why, error.hint) == (UsageError, "what", "why", "hint")


def test_the_error_of_the_first_file_counts() -> None:
    found = [
        {**describe_error(InputDataError(f"file {number}")), "file": str(number)} for number in (10, 9, 11)
    ]
    answers = [json.dumps({"errors": errors}) for errors in (found[:1], found[1:], [])]
    assert str(first_error(answers)) == "file 9"
    assert first_error([json.dumps({"errors": []})]) is None


def test_the_rejects_of_each_file_have_a_key_of_their_own() -> None:
    assert rejects_key("loads/run/", 12) == "loads/run/rejects-of-000012.csv"
