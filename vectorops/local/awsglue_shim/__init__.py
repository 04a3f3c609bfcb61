"""Runs Glue scripts on local Spark. The folder itself goes on PYTHONPATH, for the package `awsglue` in it."""
