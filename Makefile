# The one menu of recipes: `make help` prints it, CI calls the same ones.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export UV_PYTHON_DOWNLOADS ?= never
UV_HOME := .uv
UV := $(shell command -v uv || echo $(UV_HOME)/bin/uv)
RUN := $(UV) run --frozen --no-sync

.PHONY: help run test check system-deps install format

help: ## print this menu
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

$(UV_HOME)/bin/uv:
	python3 -m venv $(UV_HOME) && $(UV_HOME)/bin/pip install --quiet 'uv>=0.9'

install: $(if $(findstring $(UV_HOME),$(UV)),$(UV)) ## install what the locked environment needs
	@$(UV) sync --frozen --quiet

run: install ## everything a new user needs: from historian files to scored models
	@$(RUN) alarmstack demo

test: install ## the whole test suite
	$(RUN) pytest

check: install ## formatter, linter, types, import contracts
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports

format: install ## let the formatter and the linter mend what they can
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

system-deps: ## what must come from the system (root, Debian)
	apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1 postgresql
