#!/usr/bin/env sh
# Formats the Terraform files, or with -check says which are not in form.
set -eu
cd "$(dirname "$0")/.."
terraform=terraform
[ ! -x .tools/terraform ] || terraform=.tools/terraform
[ -f "${TF_CLI_CONFIG_FILE:-/dev/null/none}" ] || unset TF_CLI_CONFIG_FILE
exec "$terraform" fmt "$@" -recursive terraform
