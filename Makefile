# Two commands are enough: `make serve` starts the service, `make test` runs the tests. `make help` names the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
RUN := $(BIN)/python -m cds_service
CALL ?= fixtures/calls/sandbox-order-sign.json

.PHONY: help serve test check demo docs screenshots lock clean

help:
	@echo "make serve   start the service (settings: docs/settings.md)"
	@echo "make test    run the tests (ARGS=... goes to pytest)"
	@echo "make check   linters, types, floors, rule and case files"
	@echo "make demo    print the cards of a recorded request (CALL=file)"
	@echo "make docs    write the generated parts of docs/"
	@echo "make screenshots   take the pictures of docs/images again (needs Chromium)"
	@echo "make lock    resolve the dependencies again (needs uv)"
	@echo "make clean   remove what the other commands made"

serve: $(VENV)/.runtime
	@$(RUN) serve $(ARGS)

demo: $(VENV)/.runtime
	@$(RUN) evaluate $(CALL) --explain

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(RUN) check
	$(RUN) test

docs: $(VENV)/.dev
	sed -i.bak '/^| Variable /,$$d' docs/settings.md && rm docs/settings.md.bak
	$(RUN) settings --markdown >> docs/settings.md
	$(RUN) schema write
	$(BIN)/python -m tests.specification > docs/specification.md
	$(BIN)/python -m tests.reliability > docs/reliability.md
	$(BIN)/python -m tests.explained
	$(BIN)/python -m tests.golden
	$(BIN)/python -m tests.operations_docs
	$(BIN)/python -m tests.error_docs

screenshots: $(VENV)/.dev
	$(BIN)/python -m tests.screenshots

# Hashes only, without addresses of package indexes: each machine uses its own. The extras stay in: pip 23 takes `coverage[toml]`,
# which another package asks for, as unpinned where the lock says `coverage` alone.
lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	  --no-strip-extras --no-annotate --no-header --quiet --upgrade -o requirements.lock
	printf 'hatchling>=1.27\neditables>=0.5' | uv pip compile pyproject.toml - --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-strip-extras --no-annotate --no-header --quiet --upgrade -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis htmlcov .coverage mutants
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is made once; its stamp files say which lock file is installed in it.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Python 3.11 or newer is needed; $(PYTHON) is: $$($(PYTHON) --version 2>&1). Choose another: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The service runs straight from this folder: a fresh machine downloads the runtime packages and builds nothing.
$(VENV)/.runtime: requirements.lock | $(BIN)/python
	$(PIP) install --quiet --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.runtime
