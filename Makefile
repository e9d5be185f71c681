# Two commands are enough: `make run` to see webhooks flow, `make test` to check everything.
# Each makes its own environment first; nothing outside this folder and the cache folder is touched.

VENV = .venv
BIN := $(VENV)/bin
export VENV PYTHON

.PHONY: environment develop run test e2e e2e-kind check style format types imports generate check-generated simulate operator-chaos bench ledger cluster-ledger operator-bench listings-bench lock clean help

help:  ## Say what there is
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

run: environment  ## Start the tour: receiver, dispatcher and a local subscriber, with sample events
	@$(BIN)/hookplane demo

test:  ## All checks and the whole test suite; says first what that takes
	@scripts/test

e2e: develop  ## Real pods: a node of our own, the image, Helm, faults; ONLY="words" chooses tests
	@scripts/test-tools
	@scripts/test-components node >/dev/null
	$(BIN)/python -m pytest tests/node $(if $(ONLY),-k "$(ONLY)")

e2e-kind: develop  ## The same on a cluster of kind, where there is a Docker engine
	@scripts/e2e-kind $(if $(ONLY),-k "$(ONLY)")

check: style types imports check-generated  ## Style, types, import contracts, generated files

style: develop
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: develop  ## Put the code in form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: develop
	$(BIN)/mypy core operator receiver dispatcher console cli tests benchmarks charts docs scripts

imports: develop
	$(BIN)/lint-imports --config contracts.toml

generate: develop  ## Write the CRDs and the reference from the models
	$(BIN)/python -m hookplane.crds
	$(BIN)/python charts/generate.py
	$(BIN)/python docs/generate.py

check-generated: develop
	$(BIN)/python -m hookplane.crds --check
	$(BIN)/python charts/generate.py --check
	$(BIN)/python docs/generate.py --check

simulate: develop  ## Crashes, wrong clocks and a failing store, in virtual time; SEEDS=1000 or SEED=17, STORE=postgres
	$(BIN)/python -m support.simulation --store $(or $(STORE),sqlite) $(if $(SEED),--seed $(SEED) $(if $(ONLY),--only $(ONLY)) \
	  $(if $(SHRINK),--shrink),--seeds $(or $(SEEDS),100) --first $(or $(FIRST),0) --minutes $(or $(MINUTES),25))

operator-chaos: develop  ## Break everything around two operators; MINUTES=60 SEED=1, and ONLY=3,7 of its rounds
	@scripts/test-tools
	@scripts/test-components >/dev/null
	$(BIN)/python -m support.chaos --seed $(or $(SEED),1) --minutes $(or $(MINUTES),60) \
	  $(if $(ONLY),--only $(ONLY)) $(if $(LONGEST),--longest $(LONGEST)) $(if $(LOGS),--logs $(LOGS))

bench: develop  ## Measure; one table as text and JSON
	$(BIN)/python -m benchmarks

ledger: develop  ## Kill the process 50 times under load and account for every event
	$(BIN)/python -m benchmarks.ledger --kills 50

cluster-ledger: develop  ## Many processes on PostgreSQL, faults of every kind, and an account
	$(BIN)/python -m benchmarks.cluster_ledger --kills 100

operator-bench: develop  ## The operator with 10,000 objects on a real API server; 14 minutes
	@scripts/test-tools
	@scripts/test-components >/dev/null
	$(BIN)/python -m benchmarks.operator

listings-bench: develop  ## What pages of listings and replays cost; DSN= names an empty PostgreSQL
	$(BIN)/python -m benchmarks.listings --dsn "$(DSN)"

lock: develop  ## Pin the newest versions that pyproject.toml allows
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --all-extras --no-header --no-annotate \
	  --no-emit-options --unsafe-package hookplane --output-file constraints.txt pyproject.toml

clean:  ## Remove the environment and what `make run` stored
	@scripts/environment remove
	rm -rf .hookplane

environment:
	@scripts/environment run

develop:  ## Make the environment with all that tests and checks need
	@scripts/environment develop
