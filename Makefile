# The manual: `make help`. Every target sets up what it needs.
PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready
PROJECTS := libs/chassis services/user-service services/order-service tools/localshop tools/b2cctl tools/charts
MANIFESTS := $(addsuffix /pyproject.toml,$(PROJECTS))
UV_VERSION := 0.13.9
# What make test, make test-system and make test-delivery run; a folder of pyproject.toml's testpaths is in one of them.
LAUNCHER := tools/localshop tests/e2e/test_up.py
SHOP := libs services tests/api tests/architecture
SYSTEM := tests/attacks tests/e2e tests/golden tests/migrations --ignore=tests/e2e/test_up.py
DELIVERY := helm bench $(LAUNCHER) tools/b2cctl tools/tests tests/test_planted_defects.py
KUBETOOLS := .cache/kubetools/.ready
SCANNER := .cache/checkov/.ready
LOCUST := .cache/locust/.ready
GENERATORS := .cache/clients/.ready
STRIPE_MOCK_VERSION := v0.203.0
STRIPE_MOCK := .cache/stripe-mock-$(STRIPE_MOCK_VERSION)/stripe-mock
# Fast ones first; each is a target of its own, such as make check-types.
CHECKS := lint format types imports openapi charts compose dockerfiles workflows deps secrets audit scan
.DEFAULT_GOAL := help

# Variables that the shell sets for other programs do not reach ours. How to reach a package index is kept.
INDEX := INDEX% EXTRA_INDEX_URL DEFAULT_INDEX FIND_LINKS NO_INDEX TRUSTED_HOST INSECURE_HOST CERT CLIENT_CERT PROXY \
	NATIVE_TLS SYSTEM_CERTS KEYRING_PROVIDER CONFIG_FILE CACHE_DIR NO_CACHE% %TIMEOUT RETRIES HTTP_% OFFLINE CONCURRENT_% LINK_MODE
FOREIGN := PG% PYTHON% PIP_% UV_% FLASK_% PROMETHEUS_% prometheus_% VIRTUAL_ENV CDPATH GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_PREFIX
unexport $(filter-out PYTHON $(addprefix PIP_,$(INDEX)) $(addprefix UV_,$(INDEX)),$(filter $(FOREIGN),$(.VARIABLES)))

# pip and uv need a cache folder: below .cache where the home directory cannot be written to.
ifeq ($(shell folder="$${XDG_CACHE_HOME:-$$HOME/.cache}"; mkdir -p "$$folder" 2>/dev/null && test -w "$$folder" && echo yes),)
export XDG_CACHE_HOME := $(CURDIR)/.cache
endif

# Scripts in .venv hold its path, and packages belong to one Python: after a move or an upgrade it is made again.
PLACE := echo "$(CURDIR)" $$($(BIN)/python -V 2>&1 | cut -d. -f1,2)
ifneq "$(shell cat $(READY) 2>/dev/null)" "$(shell $(PLACE))"
.PHONY: $(READY)
endif
.PHONY: help setup up reset catalog migration schema states test test-system test-delivery bench bench-report bench-compare chaos load soak e2e-browser e2e-stripe e2e-observe e2e-containers e2e-cluster
.PHONY: screenshots kind kind-cluster check $(addprefix check-,$(CHECKS)) check-clients format deps openapi tools charts golden golden-answers fork scan

help: ## list what make can do
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(READY) ## create .venv and install the locked dependencies

$(READY): requirements-dev.txt $(MANIFESTS)
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found: install Python 3.11 or newer, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1); Python 3.11 or newer is needed (make PYTHON=...)" >&2; exit 1; }
	@echo "Installing the locked dependencies into $(VENV) ..."
	@test "$$(cat $@ 2>/dev/null)" = "$$($(PLACE))" || rm -rf $(VENV) .cache/checkov .cache/locust
	@$(PYTHON) -m venv $(VENV) || { echo "make: could not create $(VENV): on Debian and Ubuntu install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-user uv==$(UV_VERSION)
	@$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ,$(PROJECTS))
	@$(PLACE) >$@

tools: $(KUBETOOLS) ## fetch helm 3, helm 4 and kubectl into .cache/kubetools

$(KUBETOOLS): tools/charts/src/charts/kubetools.txt | $(READY)
	@echo "Fetching helm and kubectl into $(@D) ..."
	@$(BIN)/charts tools $(@D)
	@touch $@

charts: $(READY) ## write the charts' schemas and READMEs again
	@$(BIN)/charts generate

scan: $(SCANNER) ## check the manifests of production with checkov
	@.cache/checkov/bin/checkov --config-file helm/scan/checkov.yaml --directory helm/tests/golden

$(SCANNER): helm/scan/requirements.txt | $(READY)
	@echo "Installing checkov into .cache/checkov ..."
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .cache/checkov
	@$(BIN)/uv pip sync --quiet --require-hashes --python .cache/checkov/bin/python $<
	@touch $@

golden: $(READY) $(KUBETOOLS) ## renew the expected manifests of production, for review
	@UPDATE_GOLDEN=1 TEST_POSTGRES_URL=unused $(BIN)/python -m pytest -q helm/tests/test_golden.py

golden-answers: $(READY) ## renew the expected answers of the services, for review
	@UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q tests/golden

fork: $(READY) $(KUBETOOLS) ## make the shop yours: make fork OWNER=your-organisation REPO=your-shop
	@$(BIN)/charts fork "$(OWNER)" "$(REPO)"
	@$(MAKE) --no-print-directory golden

up: $(READY) ## run the shop: services on 5001 and 5002, mailbox on 5003 (USER_PORT, ORDER_PORT, MAILBOX_PORT), embedded PostgreSQL
	@exec $(BIN)/localshop up

reset: $(READY) ## stop the embedded PostgreSQL and delete its data
	@$(BIN)/localshop reset

catalog: $(READY) ## import a catalogue into the running shop: make catalog FILE=products.csv
	@test -n "$(FILE)" || { echo "make: say which file: make catalog FILE=products.csv" >&2; exit 2; }
	@$(BIN)/localshop catalog "$(FILE)"

migration: $(READY) ## start a migration: make migration SERVICE=order-service NAME=add_discounts
	@$(BIN)/python tools/migration.py "$(SERVICE)" "$(NAME)"

schema: $(READY) ## write services/*/migrations/schema.sql again, from a database that the migrations have made
	@UPDATE_SCHEMA=1 $(BIN)/python -m pytest -q tests/migrations/test_schema.py

states: $(READY) ## write the states of orders in docs/orders.md again
	@UPDATE_STATES=1 $(BIN)/python -m pytest -q tests/architecture/test_order_states.py

test: $(READY) $(KUBETOOLS) ## run the services' tests, on a real PostgreSQL that the set-up brings along (TESTS=... for others or some)
	@$(BIN)/python -m pytest -n auto --dist worksteal $(or $(TESTS),$(SHOP))

test-system: $(READY) ## run the tests of both services together: golden answers, attacks, migrations, end to end
	@$(BIN)/python -m pytest -n auto --dist worksteal $(SYSTEM)

test-delivery: $(READY) $(KUBETOOLS) $(LOCUST) ## run the tests of charts, GitOps, workflows, releases, benchmarks, tools and `make up`
	@$(BIN)/python -m pytest -n auto --dist worksteal $(DELIVERY)

chaos: $(READY) ## inject faults into real processes, and audit orders and stock after each (40 minutes at most)
	@$(BIN)/python -m pytest tests/chaos

bench: $(READY) ## measure the shop beside its limits, with a verdict on each target (needs wrk; 10 minutes at most)
	@$(BIN)/python -m bench

bench-report: $(READY) ## the same, and write docs/benchmarks.md
	@$(BIN)/python -m bench --report

bench-compare: $(READY) ## measure this checkout beside another with a .venv of its own: make bench-compare OTHER=../before
	@test -n "$(OTHER)" || { echo "make: say which checkout: make bench-compare OTHER=../before" >&2; exit 2; }
	@$(BIN)/python -m bench compare "$(OTHER)"

soak: $(READY) ## run the shop at a fifth of its peak with every background job, and judge whether it stays flat (needs wrk; MINUTES=60)
	@$(BIN)/python -m bench soak --minutes "$(or $(MINUTES),60)"

load: $(READY) $(LOCUST) ## send customers to a running shop (URL=https://..., USERS=10, SECONDS=60; at most 500 for an hour)
	@$(BIN)/python tools/load/run.py $(if $(URL),"$(URL)") --users "$(or $(USERS),10)" --seconds "$(or $(SECONDS),60)" --confirm "$(CONFIRM)"

$(LOCUST): tools/load/requirements.txt | $(READY)
	@echo "Installing Locust into $(@D) ..."
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(@D)/bin/python $<
	@touch $@

e2e-browser: $(READY) ## test the pages as customers use them (needs Chromium, CHROMIUM=path, and npm for axe-core; 15 minutes at most)
	@TEST_POSTGRES_URL=unused $(BIN)/python -m pytest tests/browser

e2e-stripe: $(READY) $(STRIPE_MOCK) ## check each request to Stripe against Stripe's own OpenAPI document (needs Go 1.22; a minute)
	@STRIPE_MOCK=$(STRIPE_MOCK) TEST_POSTGRES_URL=unused $(BIN)/python -m pytest tests/stripe_mock

e2e-observe: $(READY) $(KUBETOOLS) ## check when each alert of the charts fires, by promtool (needs Debian's package prometheus; a minute)
	@command -v promtool >/dev/null || { echo "make: promtool not found: install the package prometheus" >&2; exit 1; }
	@TEST_POSTGRES_URL=unused $(BIN)/python -m pytest tests/observe

$(STRIPE_MOCK):
	@command -v go >/dev/null || { echo "make: go not found: install Go 1.22 or newer to build stripe-mock" >&2; exit 1; }
	@echo "Building stripe-mock $(STRIPE_MOCK_VERSION) in $(@D) ..."
	@GOBIN="$(CURDIR)/$(@D)" go install github.com/stripe/stripe-mock@$(STRIPE_MOCK_VERSION)

screenshots: $(READY) ## renew docs/screenshots (needs Chromium)
	@PYTHONPATH=tests $(BIN)/python -m browser.screenshots

e2e-containers: $(READY) ## test images, docker-compose.yml and a release through a registry (needs a Docker engine)
	@TEST_POSTGRES_URL=unused $(BIN)/python -m pytest tests/containers

e2e-cluster: $(READY) $(KUBETOOLS) ## test charts, GitOps and runbooks on the current kubectl context, a kind cluster (needs Docker; 20 minutes)
	@TEST_POSTGRES_URL=unused $(BIN)/python -m pytest tests/cluster

kind: kind-cluster ## run the shop in a kind cluster, on 5001 and 5002 (needs Docker and kind)
	@PYTHONPATH=tests $(BIN)/python -m cluster.kind shop

kind-cluster: $(READY) $(KUBETOOLS)
	@PYTHONPATH=tests $(BIN)/python -m cluster.kind create

check: $(READY) ## lint, types, import contracts, generated files, secrets, known vulnerabilities; all failures at the end
	@failed=; for check in $(CHECKS); do $(MAKE) --no-print-directory check-$$check || failed="$$failed $$check"; done; \
	test -z "$$failed" || { echo "make check: failed:$$failed (each alone: make check-NAME)" >&2; exit 1; }

check-lint: $(READY)
	@$(BIN)/ruff check .
check-format: $(READY)
	@$(BIN)/ruff format --check .
check-types: $(READY)
	@$(BIN)/mypy
check-imports: $(READY)
	@$(BIN)/lint-imports --no-cache
check-openapi: $(READY)
	@tools/openapi check
check-charts: $(READY)
	@$(BIN)/charts generate --check
check-compose: $(READY)
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
check-dockerfiles: $(READY)
	@$(BIN)/hadolint services/*/Dockerfile tests/containers/*.Dockerfile
check-workflows: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/lint-workflows
check-deps: $(READY)
	@tools/deps check
check-secrets: $(READY)
	@tools/secrets
check-audit: $(READY)
	@$(BIN)/python tools/audit.py
check-scan: scan

check-clients: $(READY) $(GENERATORS) ## generate clients from the OpenAPI documents, check their types, and order with them (needs npm)
	@$(BIN)/python -m pytest tests/clients

$(GENERATORS): tests/clients/package.json | $(READY)
	@command -v npm >/dev/null || { echo "make: npm not found: install Node.js 20 or newer to check the TypeScript clients" >&2; exit 1; }
	@echo "Installing openapi-typescript into $(@D) ..."
	@mkdir -p $(@D) && cp $< $(@D)
	@npm install --prefix $(@D) --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

format: $(READY) ## format the code, mend what ruff can mend, and show the rest
	@$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format . && $(BIN)/ruff check .

deps: ## resolve the dependencies again, to the newest that fit (network)
	@tools/deps upgrade

openapi: $(READY) ## write the OpenAPI documents below docs/api
	@tools/openapi write
