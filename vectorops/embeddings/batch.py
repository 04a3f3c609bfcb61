"""What travels from the readers to the writer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Block:
    """Some whole records of a file, still as bytes.

    Attributes:
        source: Name of the file, for messages.
        first_line: Line number of the first byte; the header is on line 1.
        data: Whole lines; the file's last line may lack its line end.
    """

    source: str
    first_line: int
    data: bytes


@dataclass(frozen=True)
class SparseRows:
    """Vectors for a sparsevec column.

    Attributes:
        counts: int32, shape (rows,): how many numbers of each vector are not 0.
        indices: int32: their positions, from 0 and ascending in each vector, one vector after the other.
        values: float32: the numbers, all finite.
        dimension: Of every vector.
    """

    counts: npt.NDArray[np.int32]
    indices: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    dimension: int


Vectors = npt.NDArray[np.float32] | SparseRows


@dataclass(frozen=True)
class Batch:
    """Validated rows.

    Attributes:
        ids: Arrow array of `id_arrow_type(table)`, without nulls.
        vectors: float32, shape (rows, dimension), all finite; all 0 or 1 for a bit column.
        lines: int64, shape (rows,): the line each row begins on.
        metadata: An Arrow array for each column of `table.metadata`, as `metadata.convert` returns it.
    """

    ids: Any
    vectors: Vectors
    lines: npt.NDArray[np.int64]
    metadata: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return len(self.lines)


class BadRowError(ValueError):
    """A row that cannot be loaded; the message is the reason."""


@dataclass(frozen=True)
class Reject:
    """A row that cannot be loaded.

    Attributes:
        source: Name of the file.
        line: Line the row begins on.
        reason: Why it cannot be loaded.
        text: The row as it stands in the file, without its line end.
    """

    source: str
    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Parsed:
    """What became of a block: every record is a row of the batch or a reject, in the order of the file."""

    batch: Batch
    rejects: tuple[Reject, ...] = ()
