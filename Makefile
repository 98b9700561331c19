# Everything runs in environments of the project's own: .venv for the work, .venv-wandb-* for the official SDK as an oracle.
.DEFAULT_GOAL := help
.PHONY: help setup generate check test conformance record senders drift sample demo bench wheel clean

PYTHON ?= python3.11
BIN := .venv/bin
WANDB_OLD := 0.21.4
WANDB_NEW := 0.31.0
OLD_SDK := .venv-wandb-$(WANDB_OLD)
NEW_SDK := .venv-wandb-$(WANDB_NEW)
USER := .venv-bench
export RUNQL_BENCH := $(CURDIR)/$(USER)/bin/python
export RUNQL_WANDB_OLD := $(CURDIR)/$(OLD_SDK)/bin/python
export RUNQL_WANDB_NEW := $(CURDIR)/$(NEW_SDK)/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Hundreds of short processes import the same modules: what was compiled once is kept.
unexport PYTHONDONTWRITEBYTECODE
PIP := -m pip --quiet --retries 8 install --constraint constraints.txt

help:  ## say what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready  ## the project's own environment
.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip --quiet --retries 8 install "pip>=25.1"
	$(BIN)/python $(PIP) --editable ".[all]" --group dev
	touch $@

$(OLD_SDK)/.ready: constraints.txt
	$(PYTHON) -m venv $(OLD_SDK)
	$(OLD_SDK)/bin/python $(PIP) wandb==$(WANDB_OLD) pandas polars pillow scikit-learn
	touch $@
$(NEW_SDK)/.ready: constraints.txt
	$(PYTHON) -m venv $(NEW_SDK)
	$(NEW_SDK)/bin/python $(PIP) wandb==$(WANDB_NEW) pandas polars pillow scikit-learn
	touch $@
$(USER)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(USER)
	$(USER)/bin/python $(PIP) --editable ".[polars,arrow]" orjson
	touch $@

generate: .venv/.ready  ## rebuild generated/ from schema/ and queries/
	$(BIN)/python -m runql_codegen

check: .venv/.ready  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

test: .venv/.ready $(OLD_SDK)/.ready $(NEW_SDK)/.ready  ## all tests, with the official SDK as an oracle; CI=true tries everything
	$(BIN)/pytest -m "not bench and not live"

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

sample: .venv/.ready $(OLD_SDK)/.ready $(NEW_SDK)/.ready  ## train and log the sample project again, then record
	$(BIN)/python -m pip --quiet install --constraint constraints.txt scikit-learn
	$(BIN)/python -m runql_server.training.record
	$(MAKE) record

demo: .venv/.ready  ## real runs from the embedded server, listed, read and drawn
	$(BIN)/runql demo

bench: .venv/.ready $(OLD_SDK)/.ready $(NEW_SDK)/.ready $(USER)/.ready  ## measure against the official SDK
	$(BIN)/python -m tests.bench

wheel: .venv/.ready $(NEW_SDK)/.ready  ## build the wheel and test it in a clean environment
	$(BIN)/python -m tests.wheel

clean:  ## remove everything that can be made again
	rm -rf .venv .venv-wandb-* $(USER) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
