"""What becomes of rows that cannot be loaded: the end of the load, or a file that holds them."""

import csv
import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Self

from vectorops.embeddings.batch import Reject
from vectorops.embeddings.text import quote
from vectorops.errors import InputDataError, UsageError

COLUMNS = ("source", "line", "reason", "text")
# What is no UTF-8 in a row is shown by its byte values.
_TEXT: Any = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}


class StopAtFirst:
    """Takes no rejects: the first one ends the load."""

    count = 0
    path: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def add(self, rejects: Iterable[Reject]) -> None:
        """Refuse the first reject.

        Raises:
            InputDataError: There is one.
        """
        for reject in rejects:
            raise InputDataError(
                f"{reject.source} line {reject.line}: {reject.reason}",
                why=f"the line is {quote(reject.text, 80)}",
                hint="mend it, or load the other rows with --on-error reject",
            )

    def clear(self) -> None:
        """Do nothing: there are none."""

    def publish(self) -> None:
        """Do nothing: there are none."""


def check_target(path: Path) -> None:
    """Refuse a path at which rejects could not appear, before any are found.

    Raises:
        UsageError: Something is there already, or there is no such folder.
    """
    if path.exists():
        raise _is_taken(path)
    if not path.parent.is_dir():
        raise UsageError(f"cannot write the rejects to {path}", why=f"there is no folder {path.parent}")


def _is_taken(path: Path) -> UsageError:
    return UsageError(f"{path} is there already", hint="choose another file for the rejects")


class RejectsFile:
    """Collects rejects in a file without a name, and gives it one in one step.

    Leaving the `with` block by an exception takes everything back. Without a reject there is no file.

    Args:
        target: Where the file is to appear.

    Raises:
        UsageError: Something is there already, or there is no such folder.
    """

    def __init__(self, target: Path) -> None:
        check_target(target)
        self.count = 0
        self._target = target
        self._file: IO[str] | None = None
        self._rows: Any = None
        self._is_published = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        if error is not None and self._is_published:
            self._target.unlink(missing_ok=True)

    @property
    def path(self) -> Path | None:
        """Where the file is to appear, or None as long as there is nothing to put into it."""
        return self._target if self.count else None

    def add(self, rejects: Iterable[Reject]) -> None:
        """Write rejects down, whole rows, one CSV record each.

        Raises:
            UsageError: The folder cannot be written to.
        """
        for reject in rejects:
            if self._file is None:
                self._open()
            self._rows.writerow((reject.source, reject.line, reject.reason, reject.text))
            self.count += 1

    def clear(self) -> None:
        """Forget all rejects, to take them again."""
        if self._file is not None:
            self._file.close()
            self._file, self.count = None, 0

    def publish(self) -> None:
        """Let the file appear.

        Raises:
            UsageError: Something has appeared in its place meanwhile.
        """
        if self._file is None:
            return
        self._file.seek(0)
        with tempfile.NamedTemporaryFile("w", dir=self._target.parent, prefix=".rejects-", **_TEXT) as whole:
            shutil.copyfileobj(self._file, whole)
            whole.flush()
            os.fsync(whole.fileno())
            try:
                self._target.hardlink_to(whole.name)  # A rename would replace what is there.
            except FileExistsError as exc:
                raise _is_taken(self._target) from exc
        self._is_published = True

    def _open(self) -> None:
        try:
            self._file = tempfile.TemporaryFile("w+", dir=self._target.parent, **_TEXT)  # noqa: SIM115 - __exit__ closes it
        except OSError as exc:
            raise UsageError(f"cannot write the rejects to {self._target}", why=str(exc)) from exc
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)


Rejects = StopAtFirst | RejectsFile


def read_rejects(file: BinaryIO) -> Iterator[Reject]:
    """Yield what a `RejectsFile` has written, in its order."""
    with io.TextIOWrapper(file, **_TEXT) as text:
        for row in csv.DictReader(text):
            yield Reject(row["source"], int(row["line"]), row["reason"], row["text"])


def default_path(table: str) -> Path:
    """Return a path in the working folder that no earlier load has used."""
    name = re.sub(r"[^\w.-]", "_", table)
    return Path(f"{name}-rejects-{datetime.now(UTC):%Y%m%dT%H%M%S_%f}Z.csv")
