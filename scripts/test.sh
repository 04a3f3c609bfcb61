#!/usr/bin/env sh
# Passes every test: the quick tiers on three processes, and the end-to-end tests beside them. Much of it waits.
set -u
cd "$(dirname "$0")/.."

# The tests start hundreds of processes; each of them would compile its modules anew.
unset PYTHONDONTWRITEBYTECODE

log=$(mktemp)
.venv/bin/pytest tests/e2e >"$log" 2>&1 &
end_to_end=$!
trap 'kill "$end_to_end" 2>/dev/null; wait "$end_to_end"; rm -f "$log"' EXIT
trap 'exit 130' INT TERM

# By file: the tests of one file share servers that take seconds to start. tests/integration/conftest.py orders them.
# They take what the end-to-end tests leave of the processors: those wait the most, and must not end the last.
nice -n 10 .venv/bin/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder tests/unit tests/integration
status=$?

echo "The end-to-end tests:"
wait "$end_to_end" || status=1
cat "$log"
exit "$status"
