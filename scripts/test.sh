#!/usr/bin/env sh
# Passes every test. The end-to-end tests mostly wait for Terraform's provider, so they run beside the others.
set -u
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'kill "$end_to_end" 2>/dev/null; rm -f "$log"' EXIT INT TERM
.venv/bin/pytest tests/e2e >"$log" 2>&1 &
end_to_end=$!

# By file: the tests of one file share servers that take seconds to start.
.venv/bin/pytest --numprocesses 2 --dist loadfile tests/unit tests/integration
status=$?

echo "Waiting for the end-to-end tests…"
wait "$end_to_end" || status=1
cat "$log"
exit "$status"
