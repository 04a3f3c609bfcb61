"""How much memory an HNSW index takes while it is built, and how much disk and cache afterwards."""

from vectorops.database.index_spec import IndexType

# Counted by what pgvector 0.8.5 reports ("graph no longer fits … after N tuples") for 8 to 1,536 dimensions
# and m from 8 to 32: a row's vector, 32 bytes for each m, and 200 bytes; within 2 %.
_BYTES_PER_M = 32
_BYTES_PER_ELEMENT = 200

# Pages as pgvector lays them out (src/hnsw.h, src/hnswutils.c): a tuple with the vector and one with 2 m
# neighbours of 6 bytes in the lowest layer and m in each layer above, which 1 row in m reaches.
_PAGE_BYTES, _PAGE_OVERHEAD = 8_192, 32
_ELEMENT_HEADER, _NEIGHBOUR_HEADER, _ITEM_POINTERS = 72, 4, 8
_NEIGHBOUR_BYTES = 6


def vector_bytes(dimension: int, type_: IndexType) -> int:
    """Return the bytes of one vector of `dimension` numbers: 4, 2 or 1/8 for each, and 8."""
    numbers = {"vector": 4 * dimension, "halfvec": 2 * dimension, "bit": (dimension + 7) // 8}
    return _aligned(8 + numbers[type_])


def rule_of_thumb_bytes(rows: int, dimension: int, type_: IndexType) -> int:
    """Return rows x (8 + 4 x dimension) x 1.3, the rule that pgvector's issue 844 gives, in bytes.

    With fewer bytes a number for the smaller types. It knows nothing of m, and so is too low for few
    dimensions and too high for many; `graph_bytes` is what to plan with.
    """
    numbers = {"vector": 4 * dimension, "halfvec": 2 * dimension, "bit": dimension / 8}
    return round(rows * (8 + numbers[type_]) * 1.3)


def graph_bytes(rows: int, dimension: int, type_: IndexType, m: int) -> int:
    """Return the memory that building takes with the whole graph in memory, in bytes."""
    return rows * (vector_bytes(dimension, type_) + _BYTES_PER_M * m + _BYTES_PER_ELEMENT)


def index_bytes(rows: int, dimension: int, type_: IndexType, m: int) -> int:
    """Return the size of a new index on disk, which is what a search wants to find in memory, in bytes."""
    element = _aligned(_ELEMENT_HEADER + vector_bytes(dimension, type_))
    layers = 2 + 1 / (m - 1)
    neighbours = _NEIGHBOUR_HEADER + layers * m * _NEIGHBOUR_BYTES
    room = _PAGE_BYTES - _PAGE_OVERHEAD
    rows_per_page = int(room / (element + neighbours + _ITEM_POINTERS))
    pages_per_row = 1 / rows_per_page if rows_per_page else 2
    return round(rows * pages_per_row + 1) * _PAGE_BYTES


def _aligned(size: int) -> int:
    return (size + 7) // 8 * 8
