# The two commands of a newcomer are `make example` and `make test`; `make help` lists the rest.

PYTHON ?= python3
BIN := .venv/bin
SOURCES := emplus tests $(if $(wildcard benchmarks/*.py),benchmarks) $(if $(wildcard reproductions/*.py),reproductions)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help example test lint types docs docs-test package format check bench figures clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

example: .venv/.package  ## fit, draw and save a mixture of two on Old Faithful
	$(BIN)/emplus fit faithful --components 2 --search em --plot faithful.png --output faithful.safetensors

test: .venv/.dev  ## run the whole test suite, doctests included, on every core
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: .venv/.dev  ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev  ## check types
	$(BIN)/mypy $(SOURCES)

docs-test: .venv/.dev  ## run the examples in docstrings and in the README only
	$(BIN)/python -m pytest emplus tests/test_project.py

docs: .venv/.docs  ## build the documentation into build/docs; warnings are errors
	$(BIN)/python -m sphinx -b html -W --keep-going --quiet -j auto -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

package: .venv/.dev  ## build wheel and sdist; try them with the lowest and the newest versions
	$(BIN)/python tests/packaging/check.py

format: .venv/.dev  ## mend style and formatting where that is automatic
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint types test  ## lint, types and tests

bench: .venv/.package  ## speed and memory against scikit-learn (minutes)
	$(BIN)/python benchmarks/em_speed.py
	$(BIN)/python benchmarks/mfa_speed.py

figures: .venv/.package  ## regenerate every picture in figures/ (a quarter of an hour; DATA=FOLDER)
	$(BIN)/python reproductions/regenerate.py $(if $(DATA),--data $(DATA))

clean:  ## remove .venv, caches and what `make example` wrote
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	rm -f faithful.png faithful.safetensors
	rm -rf docs/gallery docs/reference
	find emplus tests benchmarks reproductions docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# .venv is made anew only when pyproject.toml changes. Each stamp is written after its step has
# succeeded, so a step that was interrupted is done again. The package is installed in editable
# form: a change of the code needs no new install.
.venv/.created: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("emplus needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Say which one to use, as in: make PYTHON=python3.12 example") if sys.version_info < (3, 11) else None'
	rm -rf .venv
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "No virtual environment could be made; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@touch $@

.venv/.package: .venv/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.dev: .venv/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.venv/.docs: .venv/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@
