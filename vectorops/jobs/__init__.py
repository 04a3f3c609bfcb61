"""Glue runs: starting, following, and reading their history."""
