# ordertrack. `make` alone prints this list.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
GENERATORS := tests/generated_clients
SDK := sdk/js
# Processes that run tests: twice the cores of a small machine, since many tests wait. One that faulthandler_timeout
# ends is not replaced: xdist may wait for ever for the tests of its replacement.
WORKERS ?= 4
PARALLEL := --numprocesses $(WORKERS) --no-loadscope-reorder --max-worker-restart 0

.DEFAULT_GOAL := help
.PHONY: help setup dev packages demo serve cluster test test-fast generators conformance lint bench fuzz soak docs lock clean scale eta battery

help: ## print the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## create .venv and install the server from the hashed lock file

dev: $(DEV_STAMP) ## install what tests, checks and benchmarks need too

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ordertrack needs Python 3.11 or newer: make setup PYTHON=python3.11"; exit 1; }
	@echo "Setting up $(VENV) (about a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	@scripts/install.sh $(VENV) requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "Ready: $(BIN)/ordertrack --help"

$(DEV_STAMP): $(STAMP) requirements-dev.lock
	@echo "Installing what tests and checks need ..."
	@scripts/install.sh $(VENV) requirements-dev.lock
	@touch $@

demo: setup ## start a server with a sample city whose orders move, and print tracking pages to open in a browser
	@exec $(BIN)/ordertrack demo

serve: setup ## start the server on 127.0.0.1:5001 with its data in ./data (ORDERTRACK_PORT=5002 make serve: elsewhere)
	@exec $(BIN)/ordertrack serve

cluster: dev packages ## start three nodes behind nginx, with PostgreSQL and Redis, and a simulated lunch hour
	@exec $(BIN)/python -m servers

conformance: dev ## hold a running server to PROTOCOL.md: ORDERTRACK_CONFORMANCE_URL=http://... make conformance
	@$(BIN)/python -m pytest tests/conformance

packages: ## install the proxies and other programs that tests start (as root, with apt; else print what is missing)
	@scripts/system-packages.sh

test: dev packages generators lint ## run the checks and all tests
	@$(BIN)/python -m pytest $(PARALLEL)

test-fast: dev ## run the tests of core, service and contract: what to run while typing
	@$(BIN)/python -m pytest --numprocesses logical tests/core tests/service tests/contract

generators: $(GENERATORS)/.venv/.installed $(GENERATORS)/node_modules/.installed $(SDK)/node_modules/.installed ## install what the tests of generated clients and of the JavaScript SDK use (npm is optional)

$(GENERATORS)/.venv/.installed: $(GENERATORS)/requirements.lock
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

%/node_modules/.installed: %/package-lock.json
	@if command -v npm >/dev/null; then cd $* && npm ci --silent && touch node_modules/.installed; \
		else echo "No npm here: the tests that need the packages of $* will be skipped."; fi

lint: dev ## ruff, mypy --strict, import-linter, plain English
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/check_language.py

bench: dev ## measure, print a table, write bench/results
	@$(BIN)/python -m bench

scale: dev ## calculate what more customers need from bench/results, and write docs/scale.md
	@$(BIN)/python -m bench.scale --write

battery: dev ## record the requests of clients over an order of 33 minutes; SPEED=1: in real time
	@$(BIN)/python -m bench.battery --write --speed $(or $(SPEED),10)

eta: dev ## back-test the windows of arrival on simulated histories, and write docs/eta.md
	@$(BIN)/python -m bench.eta --write

fuzz: dev ## try mutated requests and tokens for MINUTES (10)
	@cd tests && ../$(BIN)/python -m fuzz --minutes $(or $(MINUTES),10)

soak: dev packages ## check a cluster under random faults for MINUTES (60); SEED=N: begin with this seed
	@cd tests && PYTHONPATH=.. ../$(BIN)/python -m cluster.run --seconds 240 --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED))

docs: setup ## write the generated reference pages in docs/reference
	@$(BIN)/python -m ordertrack.cli.reference docs/reference

lock: ## pin the newest allowed versions of everything in the lock files (needs npm)
	@test -x $(VENV)-lock/bin/uv || { $(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip install --quiet uv; }
	@$(VENV)-lock/bin/uv pip compile --quiet --universal --upgrade --generate-hashes --no-emit-index-url --extra server \
		--extra editable --python-version 3.11 --custom-compile-command "make lock" pyproject.toml --output-file requirements.lock
	@$(VENV)-lock/bin/uv pip compile --quiet --universal --upgrade --generate-hashes --no-emit-index-url --extra server \
		--extra editable --extra dev --constraint requirements.lock --python-version 3.11 \
		--custom-compile-command "make lock" pyproject.toml --output-file requirements-dev.lock
	@cd $(GENERATORS) && ../../$(VENV)-lock/bin/uv pip compile --quiet --universal --upgrade --generate-hashes \
		--no-emit-index-url --python-version 3.11 --custom-compile-command "make lock" requirements.in --output-file requirements.lock
	@cd $(GENERATORS) && npm install --silent --package-lock-only
	@cd $(SDK) && npm install --silent --package-lock-only

clean: ## remove what setup, tests and checks made (not ./data)
	@rm -rf $(VENV) $(VENV)-lock $(GENERATORS)/.venv $(GENERATORS)/node_modules $(SDK)/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
