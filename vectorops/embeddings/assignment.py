"""What one process of a load by several is told, and what it answers, as JSON."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import vectorops
from vectorops import errors
from vectorops.aws import Aws
from vectorops.database.columns import Column
from vectorops.database.connection import DatabaseAddress
from vectorops.database.credentials import database_address
from vectorops.database.tables import VectorTable
from vectorops.embeddings.preflight import Columns
from vectorops.errors import VectorOpsError

# The folder of the unpacked package; the builder has put the certificate authorities of RDS there.
PACKAGE_DIR = Path(vectorops.__file__).parents[1]

# What a load leaves below its results prefix.
REPORT = "report.json"
REJECTS = "rejects.csv"


@dataclass(frozen=True)
class Database:
    """Where the database is; each process reads the login by itself.

    Attributes:
        sslmode: "verify-full", or "disable" for the local target.
    """

    region: str
    host: str
    port: int
    name: str
    secret_arn: str
    sslmode: str

    def aws(self) -> Aws:
        """Return AWS with the credentials of the job's role, which Glue provides."""
        return Aws(self.region, endpoint_url=os.environ.get("AWS_ENDPOINT_URL"))

    def address(self, aws: Aws) -> DatabaseAddress:
        """Return the address with the login."""
        return database_address(
            aws.client("secretsmanager"),
            self.secret_arn,
            host=self.host,
            port=self.port,
            name=self.name,
            is_local=self.sslmode == "disable",
            ca_folder=PACKAGE_DIR,
        )


@dataclass(frozen=True)
class Assignment:
    """The files that one stream loads.

    Attributes:
        schema: Of the staging area.
        table: Where the rows will go, with its dimension known.
        is_new: Whether the table is being created for this load.
        columns: What the columns are called in the files.
        stops: Whether the first row that cannot be loaded ends the load.
        rejects: "s3://bucket/prefix/" for rows that cannot be loaded.
        files: By number, "s3://bucket/key".
    """

    database: Database
    schema: str
    table: VectorTable
    is_new: bool
    columns: Columns
    stops: bool
    rejects: str
    files: Mapping[int, str]

    def to_json(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Assignment":
        """Return what `to_json` was called for."""
        values = json.loads(text)
        table = values["table"]
        table["metadata"] = tuple(Column(**column) for column in table["metadata"])
        table["unfilled"] = tuple(table["unfilled"])
        return cls(
            **values
            | {
                "database": Database(**values["database"]),
                "table": VectorTable(**table),
                "columns": Columns(**values["columns"]),
                "files": {int(number): url for number, url in values["files"].items()},
            }
        )


def rejects_key(prefix: str, file: int) -> str:
    """Return the S3 key for the rejects of one file, under a key that ends in "/"."""
    return f"{prefix}rejects-of-{file:06}.csv"


def describe_error(error: VectorOpsError) -> dict[str, str]:
    """Return an error as JSON can hold it."""
    return {"kind": type(error).__name__, "what": error.what, "why": error.why, "hint": error.hint}


def error_from(described: Mapping[str, str]) -> VectorOpsError:
    """Return the error that `describe_error` was called for."""
    kind = getattr(errors, described["kind"], VectorOpsError)
    error: VectorOpsError = kind(described["what"], why=described["why"], hint=described["hint"])
    return error


def first_error(answers: Sequence[str]) -> VectorOpsError | None:
    """Return the error of the file that comes first, of all that the processes answered."""
    found: list[dict[str, Any]] = [error for answer in answers for error in json.loads(answer)["errors"]]
    return error_from(min(found, key=lambda error: int(error["file"]))) if found else None
