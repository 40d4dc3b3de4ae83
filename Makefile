# `make demo` and `make test` do everything from a bare clone: a virtual environment in .venv, the
# installation, the run. PYTHON names the interpreter to build it with, VENV another place for it.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# One more than there are processors: tests wait for servers, and for other programs.
WORKERS = $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
# An editable installation is what is wanted, and needs no ten lines of warning by setuptools.
INSTALL = PYTHONWARNINGS='ignore:Editable installation' $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test libraries lint bench growth torture wheel clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z]*\):.*  ## \(.*\)/make \1	\2/p' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/installed-demo  ## train a real model offline in a scratch home, and walk through its log
	@PATH="$(abspath $(BIN)):$$PATH" bash examples/demo.sh

test: $(VENV)/installed-test  ## run the tests; ARGS="tests/sdk -x" goes to pytest
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

libraries: $(VENV)/installed-test $(VENV)/installed-libraries  ## run the tests of large libraries; gigabytes
	$(BIN)/python -m pytest -m libraries $(ARGS)

lint: $(VENV)/installed-test  ## ruff, mypy and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed-demo  ## measure the budgets, and the peers beside; ARGS="--quick" goes to it
	$(BIN)/python -m benchmarks $(ARGS)

torture: $(VENV)/installed-demo  ## faults of every kind, each promise checked; ARGS="--minutes 10 --seed 1"
	$(BIN)/python -m torture $(ARGS)

growth: $(VENV)/installed-bench  ## measure how cost grows, and draw it; ARGS="--quick" goes to it
	$(BIN)/python -m benchmarks.growth $(ARGS)

wheel: $(VENV)/installed-test  ## build the wheel and the source distribution into dist/
	$(BIN)/python -m build

clean:  ## remove the virtual environment and what tools leave behind
	rm -rf .venv build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "eventlog needs Python 3.11 or later: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@# The pip that comes with Python 3.11 takes a minute to resolve what a new one resolves in ten seconds.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

# The stamps make an installation happen once, and again when what it depends on has changed.
$(VENV)/installed-%: pyproject.toml | $(BIN)/python
	$(INSTALL) --editable '.[$*]'
	@touch $@

# fastai asks for torchvision, which no test needs, and whose build has to match that of PyTorch. Of libraries this
# large a small part is ever imported, and compiled then.
$(VENV)/installed-libraries: pyproject.toml | $(BIN)/python
	$(INSTALL) --no-compile --editable '.[libraries]'
	$(INSTALL) --no-compile --no-deps fastai
	@touch $@

.PRECIOUS: $(VENV)/installed-%
