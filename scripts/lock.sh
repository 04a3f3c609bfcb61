#!/usr/bin/env sh
# Resolves the hash-pinned requirements files again, for Python 3.11 to 3.13 on every platform.
set -eu
cd "$(dirname "$0")/.."
lock() {
    output=$1
    shift
    # The custom header and the absent index keep addresses out of the files.
    .venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
        --no-emit-index-url --no-annotate --custom-compile-command "make lock" "$@" --output-file "requirements/$output"
}
lock bootstrap.txt requirements/bootstrap.in
lock base.txt pyproject.toml
lock local.txt pyproject.toml --extra local --extra spark --extra train
lock dev.txt pyproject.toml --extra local --extra spark --extra train --group functions --group dev
# The functions are deployed with the versions they are tested with.
lock functions.txt --group functions --constraint requirements/dev.txt
# So is the package that runs on Spark.
lock glue.txt --group glue --constraint requirements/dev.txt
