#!/usr/bin/env sh
# Passes every test: the quick tiers on two processes, then the end-to-end tests, which have the machine to themselves.
set -u
cd "$(dirname "$0")/.."

# By file: the tests of one file share servers that take seconds to start.
.venv/bin/pytest --numprocesses 2 --dist loadfile tests/unit tests/integration
status=$?
.venv/bin/pytest tests/e2e || status=1
exit "$status"
