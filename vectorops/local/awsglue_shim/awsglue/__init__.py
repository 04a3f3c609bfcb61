"""The part of Glue's `awsglue` that plain Spark scripts use, for local runs."""
