# The front door. `make demo` and `make test` are all that is needed; `make help` lists the rest.
PYTHON ?= $(shell sh scripts/find_python.sh)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test lint format typecheck build docs bench mutants lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.runtime: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || exit 1
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) ($(PYTHON))"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.runtime ## build the sample card issuer, assess it, fix it, assess again (ARGS="--keep-server" keeps the sandbox)
	@$(BIN)/pci-config demo $(ARGS)

test: $(VENV)/.dev ## the whole suite: lint, types, drift, pytest, rdk test-local
	@sh scripts/test.sh

lint: $(VENV)/.dev ## ruff, cfn-lint and policy lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

typecheck: $(VENV)/.dev ## mypy --strict
	$(BIN)/mypy

build: $(VENV)/.runtime ## regenerate packs, documents, templates, schemas and the Lambda bundle
	$(BIN)/pci-config build

docs: build ## generated pages are part of the build

bench: $(VENV)/.dev ## benchmarks; prints ratios
	$(BIN)/python -m benchmarks

.venv-mutants/.done: requirements-mutants.lock
	@test -n "$(PYTHON)" || exit 1
	@test -x .venv-mutants/bin/python || $(PYTHON) -m venv .venv-mutants
	.venv-mutants/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-mutants.lock
	@touch $@

mutants: $(VENV)/.dev .venv-mutants/.done ## mutation tests of rules and pure modules, half an hour (ARGS="--resume", or module names)
	$(BIN)/python scripts/mutants.py $(ARGS)

lock: ## recompute the lock files (needs uv)
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" --extra build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" --extra build --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" requirements-mutants.in -o requirements-mutants.lock

clean: ## remove what was built and the virtual environment
	rm -rf build $(VENV) .venv-mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis
