# make demo   the whole main job against two embedded peers, nothing else needed
# make test   all tests; installs the real peers from Debian when it may
# make lint   formatting, lint, types, layers
# make torture TORTURE_ARGS='--minutes 10'   kills, power cuts, refusals, a bad network: benchmarks/torture.md
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install -q -c constraints.txt
PYTEST_ARGS ?= -n 2

.PHONY: demo test lint torture clean

demo: $(VENV)/.installed
	@$(BIN)/migrate demo

test: $(VENV)/.installed-dev
	@tests/peers/install.sh
	$(BIN)/pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

torture: $(VENV)/.installed-dev
	@tests/peers/install.sh
	@$(BIN)/python -m benchmarks.torture.run $(TORTURE_ARGS)

clean:
	rm -rf $(VENV) build dist .*_cache

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (once; about half a minute)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt
	@echo "Installing into $(VENV), with the tools of the tests (once; about a minute)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.installed
