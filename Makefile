# Two commands are enough: `make run` to see webhooks flow, `make test` to check everything.
# Each makes its own environment first; nothing outside this folder and the cache folder is touched.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test e2e e2e-kind check format types imports generate check-generated bench ledger cluster-ledger operator-bench lock clean help

help:  ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

run: $(READY)  ## Start the tour: receiver, dispatcher and a local subscriber, with sample events
	@$(BIN)/hookplane demo

test: $(READY) check  ## All checks and the whole test suite
	@scripts/test-tools
	@scripts/test-components node >/dev/null
	$(BIN)/python -m pytest -n 2 --dist worksteal --ignore tests/node
	$(BIN)/python -m pytest tests/node

e2e: $(READY)  ## Real pods: a node of our own, the image, Helm, faults; ONLY="words" chooses tests
	@scripts/test-tools
	@scripts/test-components node >/dev/null
	$(BIN)/python -m pytest tests/node $(if $(ONLY),-k "$(ONLY)")

e2e-kind: $(READY)  ## The same on a cluster of kind, where there is a Docker engine
	@scripts/e2e-kind $(if $(ONLY),-k "$(ONLY)")

check: $(READY) types imports check-generated  ## Style, types, import contracts, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(READY)  ## Put the code in form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(READY)
	$(BIN)/mypy core operator receiver dispatcher console cli tests benchmarks charts scripts

imports: $(READY)
	$(BIN)/lint-imports

generate: $(READY)  ## Write the CRDs and the reference from the models
	$(BIN)/python -m hookplane.crds
	$(BIN)/python charts/generate.py

check-generated: $(READY)
	$(BIN)/python -m hookplane.crds --check
	$(BIN)/python charts/generate.py --check

bench: $(READY)  ## Measure; one table as text and JSON
	$(BIN)/python -m benchmarks

ledger: $(READY)  ## Kill the process 50 times under load and account for every event
	$(BIN)/python -m benchmarks.ledger --kills 50

cluster-ledger: $(READY)  ## Many processes on PostgreSQL, faults of every kind, and an account
	$(BIN)/python -m benchmarks.cluster_ledger --kills 100

operator-bench: $(READY)  ## The operator with 10,000 objects on a real API server; 14 minutes
	@scripts/test-tools
	@scripts/test-components >/dev/null
	$(BIN)/python -m benchmarks.operator

lock: $(READY)  ## Pin the newest versions that pyproject.toml allows
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --all-extras --no-header --no-annotate \
	  --no-emit-options --unsafe-package hookplane --output-file constraints.txt pyproject.toml

clean:  ## Remove the environment and what `make run` stored
	rm -rf $(VENV) .hookplane

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Hookplane needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' \
	  || { echo "This Python cannot make environments; on Debian install python3-venv"; exit 1; }
	@echo "Making the environment in $(VENV) (once)…"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
