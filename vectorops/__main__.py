"""`python -m vectorops` is the same as `vectorops`."""

from vectorops.cli.main import app

app()
