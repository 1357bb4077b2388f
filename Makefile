# make demo and make test do all their own set-up in .venv.
PYTHON ?= python3
BIN := .venv/bin
MODULES := glomclf examples tests docs
comma := ,
# pip would compile on one core, and what packages test themselves with. What cannot be
# compiled is no fault, as with pip.
install = $(BIN)/python -m pip install --quiet --no-compile --editable $(1) && \
	($(BIN)/python -m compileall -qq -j 0 -x '/tests?/' .venv/lib || true)

.PHONY: demo test lint docs clean

demo: .venv/installed
	rm -rf glomclf-demo
	$(BIN)/glomclf demo --output glomclf-demo

# Three also on two cores: some tests wait for other processes.
test: .venv/installed-test
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: .venv/installed-test
	$(BIN)/ruff check $(MODULES)
	$(BIN)/ruff format --check $(MODULES)
	$(BIN)/mypy

docs: .venv/installed-docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf .venv docs/_build docs/auto_examples docs/api/generated glomclf-demo

# What is begun and cannot be ended is removed, that make may be run again.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] < (3, 14) \
		else "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/installed: .venv/bin/python pyproject.toml
	$(call install,".[pretrained]")
	touch $@

.venv/installed-test: .venv/bin/python pyproject.toml
	$(call install,".[test]")
	touch $@ .venv/installed

.venv/installed-docs: .venv/bin/python pyproject.toml
	$(call install,".[docs$(comma)pretrained]")
	touch $@ .venv/installed

# All at once, for those who need it: pip resolves and looks around once.
.venv/installed-all: .venv/bin/python pyproject.toml
	$(call install,".[test$(comma)docs]")
	touch $@ .venv/installed .venv/installed-test .venv/installed-docs
