# The words of this project; CI uses the same ones.
PYTHON ?= python3
BIN := .venv/bin
# Two processes, each with a sandbox of its own, share the files of tests in the order of tests/conftest.py.
TWICE := -n 2 --dist loadfile --no-loadscope-reorder
# Tests start thousands of processes: each would compile all that it imports where Python keeps nothing compiled.
unexport PYTHONDONTWRITEBYTECODE
# What a machine cannot run, as pytest's options; CI says why.
LEFT_OUT ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench durability soak up down lock format docs clean

help:  ## show these words
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

setup: .venv/.ready  ## build .venv from hash locks

.venv/.ready: requirements.lock requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit("Causeway needs Python 3.11 or newer; set PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	@touch $@

run: setup  ## run the quickstart across four local clouds
	$(BIN)/python -m starter run

test: setup  ## run the tests
	$(BIN)/python -m pytest $(TWICE) -m "not durability and not soak" --ignore tests/sandbox $(LEFT_OUT)
	@# Azure's SDK keeps one cloud per process: the sandbox's own tests bring another.
	$(BIN)/python -m pytest $(TWICE) tests/sandbox

durability: setup  ## run the full crash and fault matrices
	$(BIN)/python -m pytest -m durability

soak: setup  ## twenty minutes of mixed runs, faults and restarts
	$(BIN)/python -m pytest -m soak -s tests/soak

check: setup  ## format, lint, types, rooms, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell

format: setup  ## format and mend what can be mended
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

bench: setup  ## measure, side by side with peers
	$(BIN)/python -m bench

docs: setup  ## write the reference again and build the docs into site/
	$(BIN)/python -m handbook reference
	$(BIN)/python -m handbook site

up: setup  ## bring the local clouds and their workers up
	$(BIN)/python -m sandbox up --workers

down:  ## stop the local clouds, their workers and their jobs
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m sandbox down; fi

lock: setup  ## pin every dependency again, with hashes and without addresses
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --all-extras pyproject.toml -o requirements.lock
	printf 'uv\n' | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 - -o requirements-uv.lock

clean: down  ## remove everything that was built
	rm -rf .venv .sandbox site
