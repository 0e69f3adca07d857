# `make` or `make help` lists the targets. Everything happens in a virtual environment, .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
C_FILES = $(shell git ls-files --cached --others --exclude-standard -- '*.c' '*.h')
INSTALLED := $(VENV)/installed
BUILT_FROM = pyproject.toml setup.py pydbgwrite/_core.pyi \
	$(shell find csrc -name '*.[ch]' ! -name docstrings.h -o -name '*.py')
# The longest first.
LINTERS := lint-stubs lint-types lint-rules lint-imports lint-format

.DEFAULT_GOAL := help
.PHONY: help install check test test-full lint $(LINTERS) format docs sanitize bench ci clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The package is installed in place: a change in Python needs no new build. The environment may be the
# README's, with an old pip and an old setuptools.
$(INSTALLED): $(BUILT_FROM) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1" "setuptools>=77"
	$(BIN)/python -m pip install --quiet --no-build-isolation -e ".[test]" --group lint
	@touch $@

install: $(INSTALLED) ## build the extension in place, with what tests and linters need

check: lint ## what to run after each change: linters, and the suite without its slow files
	$(BIN)/python -m pytest -q -rfE -m "not slow"

test: install ## the suite, quick profile
	$(BIN)/python -m pytest

test-full: install ## the suite, full profile
	PYDBGWRITE_TEST_PROFILE=full $(BIN)/python -m pytest

lint: install ## ruff, mypy, stubtest, clang-format, the rules of the source, side by side
	@$(MAKE) --no-print-directory --keep-going --output-sync --jobs=2 $(LINTERS)

lint-stubs:
	$(BIN)/python -m mypy.stubtest --mypy-config-file pyproject.toml --allowlist .ci/stubtest-allowlist.txt pydbgwrite

lint-types:
	$(BIN)/mypy

lint-rules:
	$(BIN)/python -m pytest -q .ci

lint-imports:
	$(BIN)/python .ci/check_imports.py
	$(BIN)/python .ci/check_units.py

lint-format:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(BIN)/clang-format --dry-run -Werror $(C_FILES)

format: install ## rewrite Python and C as the linters want it
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(C_FILES)

docs: $(BIN)/python ## the documentation's site, in docs/_build/html; a warning is an error
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -e ".[cli]" --group docs
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	$(BIN)/python docs/check_site.py docs/_build/html

sanitize: ## the suite under the address and undefined-behaviour sanitizers
	.ci/run sanitize

bench: install ## ratios against the raw system call and the peers, on this machine
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python bench/run.py --docs

ci: ## everything that CI runs (Debian or Ubuntu; installs what is missing)
	.ci/run

clean: ## remove what was built, but not the environment
	rm -rf $(INSTALLED) build dist docs/_build *.egg-info pydbgwrite/*.so .mypy_cache .ruff_cache .pytest_cache
