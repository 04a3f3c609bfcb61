#!/usr/bin/env sh
# Sets the project up, inside the project: Python packages in .venv, and Terraform in .tools where PATH has none.
#   scripts/setup.sh [base|local|dev]    base: to work against AWS; local: plus the laptop's AWS; dev: plus tests
# Running it again is quick and changes nothing, as long as the lock files are the same.
set -eu
cd "$(dirname "$0")/.."

LEVEL=${1:-dev}
VENV=.venv
STAMP=$VENV/.vectorops-setup

fail() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

find_python() {
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.11, 3.12 or 3.13 on PATH" "install one, or name it: make setup PYTHON=/path/to/python3"
}

checksum() {
    if command -v sha256sum >/dev/null 2>&1; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}

fingerprint() {
    checksum requirements/bootstrap.txt "requirements/$1.txt" pyproject.toml | checksum | cut -d' ' -f1
}

# What is installed may hold more than what is asked for.
is_set_up() {
    [ -x "$VENV/bin/vectorops" ] && [ -f "$STAMP" ] || return 1
    read -r have print <"$STAMP"
    case "$LEVEL:$have" in
        base:base | base:local | base:dev | local:local | local:dev | dev:dev) ;;
        *) return 1 ;;
    esac
    [ "$print" = "$(fingerprint "$have")" ] && "$VENV/bin/python" -c 'import vectorops' 2>/dev/null
}

install_packages() {
    python=$(find_python)
    echo "Setting up Python packages ($LEVEL) in $VENV…" >&2
    if ! "$VENV/bin/python" -c 'import pip' 2>/dev/null; then
        "$python" -m venv --clear "$VENV" ||
            fail "$python cannot make a virtual environment" "on Debian or Ubuntu: sudo apt-get install python3-venv"
    fi
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
    # Compiled here and now, a command starts in a third of the time wherever Python may not keep what it compiles.
    "$VENV/bin/uv" pip sync --quiet --compile-bytecode --python "$VENV/bin/python" --require-hashes \
        requirements/bootstrap.txt "requirements/$LEVEL.txt"
    # uv removes what is not listed, pip among it; the project itself comes last, from this folder.
    "$VENV/bin/uv" pip install --quiet --python "$VENV/bin/python" --no-deps --no-build-isolation --editable .
    "$VENV/bin/python" -m compileall -q vectorops
    echo "$LEVEL $(fingerprint "$LEVEL")" >"$STAMP"
}

case "$LEVEL" in
    base | local | dev) ;;
    *) fail "unknown level '$LEVEL'" "use base, local or dev" ;;
esac
is_set_up || install_packages
scripts/terraform.sh
[ "$LEVEL" = base ] || scripts/jdbc.sh
