# Everything a fresh clone needs: `make demo` shows the product, `make test` proves it.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONHASHSEED := 0

.PHONY: demo test lint types unit setup mutants bench bench-quick docs clean

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $(shell grep '^torch==' constraints.txt)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/rheos demo

test: lint types unit

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

unit: setup
	$(BIN)/pytest -n 2

mutants: setup
	$(BIN)/python tests/mutants.py

# Peers need an older pandas, so they have an environment of their own; all of `skill` runs in it.
.venv-peers/ready: pyproject.toml constraints.txt constraints-peers.txt
	$(PYTHON) -m venv .venv-peers
	grep -v '^pandas' constraints.txt > .venv-peers/constraints.txt
	.venv-peers/bin/pip install --quiet --disable-pip-version-check $(shell grep '^torch==' constraints.txt)
	.venv-peers/bin/pip install --quiet --disable-pip-version-check --constraint .venv-peers/constraints.txt \
		--constraint constraints-peers.txt --editable '.[peers]'
	touch $@

bench: setup .venv-peers/ready
	.venv-peers/bin/python -m benchmarks skill
	$(BIN)/python -m benchmarks cost steps adaptive page

# Some sets in half an hour, peers included.
bench-quick: setup .venv-peers/ready
	.venv-peers/bin/python -m benchmarks skill --sets quick --time 90s
	$(BIN)/python -m benchmarks page

docs: setup
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf .venv .venv-peers build site .mypy_cache .ruff_cache .pytest_cache
