# make demo   the whole main job against two embedded peers, nothing else needed
# make test   all tests; installs the real peers from Debian when it may
# make lint   formatting, lint, types, layers
# make bench BENCH=receive,send BENCH_ARGS=--quick   measurements against the peers: benchmarks/results.md
# make torture TORTURE_ARGS='--minutes 10'   kills, power cuts, refusals, a bad network: benchmarks/torture.md
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PLAIN  := .venv-plain
PIP    := $(BIN)/python -m pip --disable-pip-version-check install -q -c constraints.txt
PYTEST_ARGS ?= -n 2

.PHONY: demo test lint bench torture clean

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

# Whole runs are measured as a hospital installs them, without the tools of the tests: those make every start slower.
bench: $(VENV)/.installed-dev $(PLAIN)/.installed
	@tests/peers/install.sh
	@$(PLAIN)/bin/python -m compileall -q migrate # as pip leaves an installed package
	@$(BIN)/python -m benchmarks.run --python $(PLAIN)/bin/python --only '$(BENCH)' $(BENCH_ARGS)

torture: $(VENV)/.installed-dev
	@tests/peers/install.sh
	@$(BIN)/python -m benchmarks.torture.run $(TORTURE_ARGS)

clean:
	rm -rf $(VENV) $(PLAIN) build dist .*_cache

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

$(PLAIN)/.installed: pyproject.toml constraints.txt
	@echo "Installing into $(PLAIN), without the tools of the tests (once; about half a minute)"
	@test -x $(PLAIN)/bin/pip || $(PYTHON) -m venv $(PLAIN)
	@$(PLAIN)/bin/python -m pip --disable-pip-version-check install -q -c constraints.txt -e .
	@touch $@
