"""The made-up embeddings."""

from pathlib import Path

import numpy as np

from vectorops.embeddings.csv_file import open_csv
from vectorops.embeddings.sample import write_sample
from vectorops.embeddings.sources import find_sources


def read(path: Path) -> tuple[list[str], np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    rows = [line.split(",", 1) for line in path.read_text().splitlines()[1:]]
    return [row[0] for row in rows], np.array([list(map(float, row[1][2:-2].split(","))) for row in rows])


def test_the_sample_has_the_shape_of_the_recommenders_files(tmp_path: Path) -> None:
    items, users = write_sample(tmp_path)
    item_file, user_file = (
        open_csv(source, ["id"], ["embedding"]) for source in find_sources([str(items), str(users)])
    )
    assert (item_file.id_type, user_file.id_type) == ("varchar", "integer")
    assert set(item_file.dimensions) == {32}
    assert len(read(items)[0]) == len(set(read(items)[0])) == 110
    assert len(read(users)[0]) == len(set(read(users)[0])) == 122


def test_the_same_arguments_give_the_same_bytes_and_a_larger_sample_goes_on(tmp_path: Path) -> None:
    first, _ = write_sample(tmp_path / "a", items=50)
    again, _ = write_sample(tmp_path / "b", items=50)
    larger, _ = write_sample(tmp_path / "c", items=1500)
    other, _ = write_sample(tmp_path / "d", items=50, seed=7)
    assert first.read_bytes() == again.read_bytes()
    assert len(set(read(larger)[0])) == 1500
    assert other.read_bytes() != first.read_bytes()


def test_the_items_nearest_to_an_item_are_of_its_kind(tmp_path: Path) -> None:
    _, vectors = read(write_sample(tmp_path)[0])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    nearest = np.argsort(-(vectors @ vectors.T), axis=1)[:, 1:6]
    assert (nearest % 7 == np.arange(110)[:, None] % 7).mean() > 0.95
