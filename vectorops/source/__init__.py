"""The source database: its tables, what is loaded into them, and how to reach it."""

from vectorops.source.connection import SourceAddress, SourceConnection, connect_source
from vectorops.source.dump import read_dump
from vectorops.source.load import SourceReport, init_source, source_counts
from vectorops.source.ratings import read_ratings
from vectorops.source.sample import generate_sample
from vectorops.source.tables import SourceData

__all__ = [
    "SourceAddress",
    "SourceConnection",
    "SourceData",
    "SourceReport",
    "connect_source",
    "generate_sample",
    "init_source",
    "read_dump",
    "read_ratings",
    "source_counts",
]
