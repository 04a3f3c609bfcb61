"""From the files of a load to encoded rows, with their counts."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Any

import psycopg

from vectorops.embeddings import staging
from vectorops.embeddings.batch import Parsed
from vectorops.embeddings.encoder import encode
from vectorops.embeddings.files import EmbeddingFile
from vectorops.embeddings.preflight import Plan
from vectorops.embeddings.reader import map_in_order
from vectorops.embeddings.rejects import Rejects
from vectorops.embeddings.streams import Meter

# Blocks that let the threads go on while the server takes its time, and the server while they do.
_AHEAD = 3

OnProgress = Callable[[int, int], None]


class Intake:
    """Turns files into encoded rows, and keeps count.

    Args:
        plan: The load.
        rejects: What becomes of rows that cannot be loaded.
        on_progress: Called with the number of rows and of bytes read so far.
        first_number: Number of the plan's first file in the load.

    Attributes:
        read: Rows so far, good and bad.
        meter: Bytes so far.
        is_staged: Whether all rows are in the staging table already.
        bytes_before: Of the files that an interrupted load or another process has read, and this one has not.
    """

    def __init__(
        self, plan: Plan, rejects: Rejects, on_progress: OnProgress, *, first_number: int = 0
    ) -> None:
        self.read = 0
        self.meter = Meter()
        self.rejects = rejects
        self.plan = plan
        self.is_staged = False
        self.bytes_before = 0
        self._on_progress = on_progress
        self._first_number = first_number

    @property
    def can_restart(self) -> bool:
        """Whether the files can be read once more."""
        return all(file.source.can_reopen for file in self.plan.files)

    def stage(self, connection: psycopg.Connection[Any]) -> None:
        """Put all rows into the staging table, inside the caller's transaction."""
        staging.create_staging(connection, self.plan.table)
        staging.copy_into_staging(connection, self.plan.table, self.chunks(with_places=True))

    @property
    def bytes_read(self) -> int:
        """Bytes of the files, as they are stored."""
        return self.bytes_before + self.meter.bytes_read

    @property
    def checksum(self) -> str | None:
        """Of those bytes, where all of them were read at once."""
        return None if self.bytes_before else self.meter.checksum

    def chunks(self, *, with_places: bool) -> Generator[memoryview, None, None]:
        """Yield the rows of all files in order, encoded.

        Args:
            with_places: Whether each row says which file and line it is from.
        """
        for parsed, encoded in self.pieces(range(len(self.plan.files)), with_places=with_places):
            self.rejects.add(parsed.rejects)
            yield from encoded

    def pieces(
        self, files: Iterable[int], *, with_places: bool
    ) -> Generator[tuple[Parsed, list[memoryview]], None, None]:
        """Yield what becomes of each block of some files, in order, with its rows encoded.

        Args:
            files: Their numbers.
            with_places: Whether each row says which file and line it is from.
        """
        blocks = self._blocks(files)
        with closing(map_in_order(self._encoder(with_places), blocks, ahead=_AHEAD)) as results:
            for parsed, encoded in results:
                self.read += len(parsed.batch) + len(parsed.rejects)
                yield parsed, encoded
                self._on_progress(self.read, self.bytes_read)

    def restart(self) -> None:
        """Forget what was read, to read it again."""
        self.read = 0
        self.meter = Meter()
        self.rejects.clear()

    def _blocks(self, files: Iterable[int]) -> Iterator[tuple[int, EmbeddingFile, Any]]:
        wanted = [column.name for column in self.plan.table.metadata]
        for number in files:
            file = self.plan.files[number]
            for block in file.blocks(self.meter, wanted):
                yield self._first_number + number, file, block

    def _encoder(
        self, with_places: bool
    ) -> Callable[[tuple[int, EmbeddingFile, Any]], tuple[Parsed, list[memoryview]]]:
        def parse_and_encode(item: tuple[int, EmbeddingFile, Any]) -> tuple[Parsed, list[memoryview]]:
            number, file, block = item
            parsed = file.parse(block, self.plan.table)
            return parsed, list(encode(parsed.batch, self.plan.table, number if with_places else None))

        return parse_and_encode
