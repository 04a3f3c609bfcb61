"""Loading embeddings: sources, readers, validated batches, encoder, writer."""
