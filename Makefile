# Every target sets up what it needs first; running one again is cheap.
ENV ?= local
# "make deploy YES=1" goes ahead without asking, as CI does.
ASK = $(if $(YES),--yes,)
VECTOROPS = .venv/bin/vectorops --env $(ENV)
LEVEL = $(if $(filter local,$(ENV)),local,base)

.DEFAULT_GOAL := help
.PHONY: help setup setup-env setup-dev demo test test-unit test-integration test-e2e lint format types docs lock \
	bench deploy plan destroy status schema doctor glue-run clean

help: ## List the targets.
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | awk -F '\t' '{printf "  %-18s %s\n", $$1, $$2}'

setup: setup-dev ## Set up everything, inside this folder.

setup-env:
	@scripts/setup.sh $(LEVEL)

setup-dev:
	@scripts/setup.sh dev

demo: ## From nothing to live recommendations on this machine: no AWS account, no Docker.
	@scripts/setup.sh local
	@.venv/bin/vectorops --env local demo

test: setup-dev lint ## Check the sources and pass every test.
	scripts/test.sh

test-unit: setup-dev ## Pass the tests that need neither network nor database.
	.venv/bin/pytest tests/unit

test-integration: setup-dev ## Pass the tests against the embedded PostgreSQL.
	.venv/bin/pytest tests/integration

test-e2e: setup-dev ## Pass the tests against one deployed local stack.
	.venv/bin/pytest tests/e2e

lint: setup-dev types ## Check style, types, layers and Terraform's format.
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports --no-cache
	scripts/terraform-format.sh -check

types: setup-dev ## Check the types.
	.venv/bin/mypy

format: setup-dev ## Put all sources into their form.
	.venv/bin/ruff check --fix --exit-zero .
	.venv/bin/ruff format .
	scripts/terraform-format.sh

docs: setup-dev ## Write the command reference, docs/cli.md, from the commands' own help.
	.venv/bin/python scripts/cli_reference.py

lock: ## Resolve the hash-pinned requirements again.
	@scripts/setup.sh dev
	scripts/lock.sh

bench: setup-dev ## Measure, each figure beside its alternative; SIZE=small is quick.
	.venv/bin/python -m benchmarks $(if $(SIZE),--size $(SIZE),)

deploy: setup-env ## Deploy environment ENV (make deploy ENV=prod YES=1).
	$(VECTOROPS) deploy $(ASK)

plan: setup-env ## Show what deploy would change.
	$(VECTOROPS) plan

destroy: setup-env ## Delete everything in environment ENV.
	$(VECTOROPS) destroy $(ASK)

status: setup-env ## Show what environment ENV holds.
	$(VECTOROPS) status

schema: setup-env ## Apply the SQL migrations to ENV's database.
	$(VECTOROPS) schema apply

glue-run: setup-env ## Run the ETL job of environment ENV and follow it.
	$(VECTOROPS) glue-run

doctor: setup-env ## Check the tools and the environment, and say how to mend what is wrong.
	$(VECTOROPS) doctor

clean: ## Stop the local target and delete everything that set-up and runs have left here.
	@[ ! -x .venv/bin/vectorops ] || .venv/bin/vectorops --env local local reset --yes
	rm -rf .venv .tools .vectorops .pytest_cache .mypy_cache .ruff_cache .hypothesis
