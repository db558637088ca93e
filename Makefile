# Two commands matter to a newcomer: make demo and make test.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
DATA ?=
STAMP := $(VENV)/.installed

.PHONY: demo test suite setup check lint types clean

demo: setup            ## Run the main job on the bundled region (DATA=dir: on the sets found there) and stay up.
	$(BIN)/headwater demo $(if $(DATA),--data $(DATA))

test: setup            ## Run everything that CI runs; types are checked on the other core, beside style and the first tests.
	$(MAKE) --no-print-directory --jobs 2 types suite

suite: lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: lint types      ## Style, types, import directions, SQL and compose files.

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project/models
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

types: setup
	$(BIN)/mypy

setup: $(STAMP)

# torch goes first and alone: it brings its own dependencies on machines where the wheel has some.
$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	grep '^torch==' requirements.lock | $(BIN)/pip install --quiet --requirement /dev/stdin
	grep -v '^torch==' requirements.lock | $(BIN)/pip install --quiet --no-deps --requirement /dev/stdin
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(STAMP)

clean:                 ## Remove the environment and this installation's state.
	rm -rf $(VENV) var
