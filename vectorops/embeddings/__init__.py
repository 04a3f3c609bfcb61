"""Loading embeddings: sources, readers, validated batches, encoder, writer."""

from vectorops.embeddings.load import LoadReport, load_embeddings
from vectorops.embeddings.sample import write_sample
from vectorops.embeddings.sources import Source, find_sources

__all__ = ["LoadReport", "Source", "find_sources", "load_embeddings", "write_sample"]
