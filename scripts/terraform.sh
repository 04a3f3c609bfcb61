#!/usr/bin/env sh
# Fetches the pinned official Terraform into .tools, unless PATH has 1.11 or newer.
set -eu
cd "$(dirname "$0")/.."

VERSION=1.11.4
# From the release's SHA256SUMS (https://releases.hashicorp.com/terraform/1.11.4/).
SUM_linux_amd64=1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc
SUM_linux_arm64=a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633
SUM_darwin_amd64=a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b
SUM_darwin_arm64=867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18

new_enough() {
    version=$("$1" version 2>/dev/null | sed -n 's/^Terraform v\([0-9]*\)\.\([0-9]*\)\..*/\1 \2/p' | head -n 1)
    [ -n "$version" ] || return 1
    major=${version% *}
    minor=${version#* }
    [ "$major" -gt 1 ] || { [ "$major" -eq 1 ] && [ "$minor" -ge 11 ]; }
}

if [ -x .tools/terraform ] && new_enough .tools/terraform; then exit 0; fi
if command -v terraform >/dev/null 2>&1 && new_enough terraform; then exit 0; fi

system=$(uname -s | tr '[:upper:]' '[:lower:]')
case "$(uname -m)" in
    x86_64 | amd64) machine=amd64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) machine=$(uname -m) ;;
esac
platform=${system}_$machine
eval "expected=\${SUM_$platform:-}"
if [ -z "$expected" ]; then
    echo "error: no pinned Terraform for $platform" >&2
    echo "hint: install Terraform 1.11 or newer and put it on PATH" >&2
    exit 1
fi

url=https://releases.hashicorp.com/terraform/$VERSION/terraform_${VERSION}_$platform.zip
if ! .venv/bin/python scripts/fetch.py "$url" "$expected" .tools/terraform terraform; then
    echo "hint: install Terraform 1.11 or newer yourself, and put it on PATH" >&2
    exit 1
fi
