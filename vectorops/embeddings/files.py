"""Files of embeddings, of every format: what they begin with says which it is, not their name."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import Parsed
from vectorops.embeddings.csv_file import open_csv
from vectorops.embeddings.sources import Source
from vectorops.embeddings.streams import Meter


class EmbeddingFile(Protocol):
    """A file whose beginning has been looked at."""

    @property
    def source(self) -> Source:
        """Where it comes from."""

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the columns that are neither id nor vector."""

    @property
    def dimensions(self) -> Sequence[int]:
        """Of the first vectors, as far as they are well formed."""

    @property
    def id_type(self) -> str:
        """Type of column that the first ids fit: integer, bigint or varchar."""

    def blocks(self, meter: Meter) -> Iterator[Any]:
        """Yield the rows in blocks, and let `meter` see every byte of the source."""

    def parse(self, block: Any, table: VectorTable) -> Parsed:
        """Parse one of the blocks, on any thread."""


def open_file(source: Source, id_names: Sequence[str], vector_names: Sequence[str]) -> EmbeddingFile:
    """Look at the beginning of a file.

    Args:
        source: Closed again unless it can be opened only once.
        id_names: What the id column may be called, the best first.
        vector_names: What a column of whole vectors may be called, the best first.

    Raises:
        InputDataError: It is empty, damaged, of no known format, without rows, or has no such columns.
        AwsError: S3 refused.
    """
    return open_csv(source, id_names, vector_names)
