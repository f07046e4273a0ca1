# The manual: `make help`. Every target sets up what it needs.
PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready
PROJECTS := libs/chassis services/user-service services/order-service tools/localshop tools/b2cctl
MANIFESTS := $(addsuffix /pyproject.toml,$(PROJECTS))
UV_VERSION := 0.13.9
.DEFAULT_GOAL := help
.PHONY: help setup up reset catalog test check format deps deps-check

help: ## list what make can do
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(READY) ## create .venv and install the locked dependencies

$(READY): requirements-dev.txt $(MANIFESTS)
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found: install Python 3.11 or newer, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1); Python 3.11 or newer is needed (make PYTHON=...)" >&2; exit 1; }
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "make: could not create $(VENV): on Debian and Ubuntu install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ,$(PROJECTS))
	@touch $@

up: $(READY) ## run the shop: both services on 5001 and 5002, on an embedded PostgreSQL
	@exec $(BIN)/localshop up

reset: $(READY) ## stop the embedded PostgreSQL and delete its data
	@$(BIN)/localshop reset

catalog: $(READY) ## import a catalogue into the running shop: make catalog FILE=products.csv
	@test -n "$(FILE)" || { echo "make: say which file: make catalog FILE=products.csv" >&2; exit 2; }
	@$(BIN)/localshop catalog "$(FILE)"

test: $(READY) ## run the tests, on a real PostgreSQL that the set-up brings along (TESTS=... for some of them)
	@$(BIN)/python -m pytest -n auto --dist worksteal $(TESTS)

check: $(READY) deps-check ## lint, types, import contracts, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/lint-workflows

format: $(READY) ## format the code
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

deps: ## resolve the dependencies again, to the newest that fit (network)
	@tools/deps upgrade

deps-check: $(READY)
	@tools/deps check
