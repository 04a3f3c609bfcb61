"""Made-up embeddings in the shape of the recommender's, for demos and benchmarks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

_CLUSTERS = 7
_SPREAD = 0.35
_ROWS_AT_ONCE = 1_000
_SCALES = (10, 12, 18, 24, 32, 50, 72, 700)


def write_sample(
    folder: Path, *, items: int = 110, customers: int = 122, dimension: int = 32, seed: int = 20
) -> tuple[Path, Path]:
    """Write `item_embeddings.csv` and `user_embeddings.csv`, the same for the same arguments.

    The vectors have length 1 and lie around a few centres that items and customers share, so that an item's
    nearest items are those of its kind.

    Args:
        folder: Made when it is missing; files of those names are replaced.
        items: Rows with ids such as S10_1678.
        customers: Rows with ids from 103 up.
        dimension: Numbers in a vector.
        seed: For another sample of the same shape.

    Returns:
        The paths of the two files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    item_path, user_path = folder / "item_embeddings.csv", folder / "user_embeddings.csv"
    write_embeddings(item_path, items, dimension, row_id=item_id, seed=seed, part=1)
    write_embeddings(user_path, customers, dimension, row_id=customer_id, seed=seed, part=2)
    return item_path, user_path


def write_embeddings(
    path: Path, rows: int, dimension: int, *, row_id: Callable[[int], str], seed: int, part: int
) -> None:
    """Write one CSV file of embeddings.

    Args:
        path: Replaced when it is there.
        rows: How many.
        dimension: Numbers in a vector.
        row_id: Makes the id of a row from its number, from 0.
        seed: Of the centres.
        part: Of the vectors, so that files with the same centres differ.
    """
    with path.open("w", encoding="ascii", newline="") as file:
        file.write("id,embedding\n")
        number = 0
        for vectors in _clustered(rows, dimension, seed, part):
            for vector in vectors:
                file.write(f'{row_id(number)},"[{",".join(map(str, vector))}]"\n')
                number += 1


def item_id(number: int) -> str:
    """Return the id of an item, as S10_1678."""
    return f"S{_SCALES[number % len(_SCALES)]}_{1_000 + 7 * (number // len(_SCALES))}"


def customer_id(number: int) -> str:
    """Return the id of a customer."""
    return str(103 + 3 * number)


def _clustered(rows: int, dimension: int, seed: int, part: int) -> Iterator[npt.NDArray[np.float32]]:
    """Yield float32 arrays of shape (up to 1,000, dimension); row i lies around centre i mod 7."""
    centres = _unit(np.random.default_rng(seed).standard_normal((_CLUSTERS, dimension)))
    generator = np.random.default_rng((seed, part))
    for start in range(0, rows, _ROWS_AT_ONCE):
        numbers = np.arange(start, min(start + _ROWS_AT_ONCE, rows))
        noise = _unit(generator.standard_normal((len(numbers), dimension)))
        yield _unit(centres[numbers % _CLUSTERS] + _SPREAD * noise).astype(np.float32)


def _unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    unit: npt.NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
