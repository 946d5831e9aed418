# One command does at home what CI does. `make run` and `make test` set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# One more than there are processors, because tests of time spend a third of theirs waiting.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# A file's tests share what its fixtures start. The longest files come first: see conftest.py.
BY_FILE := --dist loadfile --no-loadscope-reorder
# The tests start hundreds of Pythons: each would compile the package again where no bytecode may be written.
export PYTHONDONTWRITEBYTECODE :=

# The adapters of SDKs that a package registry gives: what `make sdks` runs, each against the suite that it names.
SDKS := adapters/getstream-python adapters/getstream-python-async adapters/getstream-node \
  $(wildcard adapters/meilisearch-*)
SDKS_ALGOLIA := $(wildcard adapters/algoliasearch-*)

.PHONY: help run test lint types unit live suite sdks results refound prove fuzz faults schema docs binary lock clean

help: ## show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("waitproof needs Python 3.11 or later; this is " + sys.version.split()[0] + ": make PYTHON=python3.12 …") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

run: $(STAMP) ## run the whole Stream suite against the reference client
	@$(BIN)/waitproof run adapters/reference-client

test: lint types unit ## lint, types and the project's own tests: three minutes on two cores

lint: $(STAMP) ## style, layers, wording and scenario files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/waitproof lint $(patsubst %/contract.yaml,%,$(wildcard scenarios/*/contract.yaml))
	$(BIN)/python -m pytest -q tests/test_words.py

types: $(STAMP) ## static types, strict
	$(BIN)/mypy
	$(BIN)/mypy adapters/kits/python/waitproof_kit.py

unit: $(STAMP) ## the project's own tests, without the slower ones of `live`
	$(BIN)/python -m pytest tests --ignore=tests/live -n $(WORKERS) $(BY_FILE)

live: $(STAMP) ## the slower tests: whole clients over sockets, the simulated proof, pytest in pytest, pages in a browser
	$(BIN)/python -m pytest tests/live -n $(WORKERS) $(BY_FILE)

suite: $(STAMP) ## the Stream suite through pytest: the reference client, and the kit of each language on this machine
	$(BIN)/python -m pytest scenarios/stream

# A WARN that no deviations.yaml excuses fails as well, and so does an entry of one that no longer occurs; what a machine
# with two cores is too busy to tell of eleven SDKs does not. Algolia's waits last long and do little, so they run beside
# the others.
JUDGE := $(BIN)/waitproof run --fail-on should --allow-inconclusive --json
sdks: $(STAMP) ## run the real SDKs of every suite, prepared from the package registries, with their known deviations
	@mkdir -p build/sdks; \
	$(JUDGE) build/sdks/report-algolia.json $(SDKS_ALGOLIA) >build/sdks/algolia.txt 2>&1 & beside=$$!; \
	$(JUDGE) build/sdks/report.json $(SDKS); code=$$?; \
	wait $$beside || code=$$?; cat build/sdks/algolia.txt; exit $$code

results: ## write docs/results for each suite that `make sdks` has run, except Stream's, which has more adapters
	@for suite in meilisearch algolia; do \
	  file=build/sdks/report-$$suite.json; \
	  test -e $$file || continue; \
	  if grep -q '"status": *"INCONCLUSIVE"' $$file; then \
	    echo "$$file has INCONCLUSIVE verdicts; run \`make sdks\` again on a quiet machine" >&2; exit 1; \
	  fi; \
	  $(BIN)/waitproof report $$file --results docs/results-$$suite.md || exit 1; \
	done

refound: $(STAMP) ## show that the suites find bugs that shipped, in the releases before their fixes
	$(BIN)/python benchmarks/refound.py

prove: $(STAMP) ## show that the suite catches every defect, simulated and then live (a quarter of an hour)
	$(BIN)/waitproof prove --simulated --live

FUZZ_S ?= 600
fuzz: $(STAMP) ## give each reader of files, requests and answers wrong input for FUZZ_S seconds (600)
	ulimit -v 6000000; WAITPROOF_FUZZ_S=$(FUZZ_S) $(BIN)/python -m pytest tests/fuzz -rP -n $(WORKERS)

faults: $(STAMP) ## let system calls fail at random in 500 runs: no wrong verdict, no hang (a quarter of an hour)
	$(BIN)/python benchmarks/faults.py

schema: $(STAMP) ## regenerate the schemas in scenarios/ and docs/reference/contract.md from the model
	$(BIN)/waitproof schema > scenarios/scenario.schema.json
	$(BIN)/waitproof schema --contract > scenarios/contract.schema.json
	$(BIN)/python tests/helpers/contract_page.py

docs: $(STAMP) ## build the pages in docs/ as a site in build/site, which needs no network to be read
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

# It is made of an installed package, in an environment of its own, so that nothing else gets into it.
binary: $(STAMP) ## make build/binary/waitproof, one executable for Linux that needs no Python, and test it
	@rm -rf build/binary && $(PYTHON) -m venv build/binary/.venv
	@build/binary/.venv/bin/python -m pip install --quiet --disable-pip-version-check '.[binary]'
	@build/binary/.venv/bin/pyinstaller packaging/program.py --name waitproof --onefile --strip --log-level ERROR \
	  --collect-all waitproof --recursive-copy-metadata waitproof --exclude-module waitproof.pytest_plugin \
	  --distpath build/binary --workpath build/binary/work --specpath build/binary/work
	@$(BIN)/python -m pytest -q tests/live/test_binary.py

lock: $(STAMP) ## renew action/requirements.txt, the packages that the GitHub Action installs, with their hashes
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml | $(BIN)/uv pip compile --quiet --universal --generate-hashes \
	  --python-version 3.11 --upgrade --custom-compile-command 'make lock' -o action/requirements.txt pyproject.toml -

clean: ## remove what setting up has made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
