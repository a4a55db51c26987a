# One place for every habit. `make demo` and `make test` work on a bare checkout: they make their own environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=
# What was compiled is kept, whatever the environment says: compiling would be half of each start.
export PYTHONDONTWRITEBYTECODE :=
# Workers of the test suite, on two cores: one works while tests with real processes wait.
JOBS ?= 3

.PHONY: quickstart demo test clients quick check unit types lint layers automats rows packets diagrams docs api-docs bench chaos crash fuzz clean

demo: $(READY)
	$(BIN)/bitdust demo $(ARGS)

# Side by side: the checks need one core for less than a minute.
test: $(READY)
	@$(MAKE) --no-print-directory -j2 check unit

# While you work, in under 30 seconds: style, what is pure, the tests of what you changed, the rows of changed machines.
quick: $(READY)
	$(BIN)/ruff check bitdust tests benchmarks examples setup.py
	$(BIN)/python -m tests.quick

# The README as a newcomer follows it: a clone, an empty home, a new environment. Needs the package index.
quickstart:
	$(PYTHON) deploy/quickstart.py

check: lint types layers automats docs

$(READY): setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "BitDust needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "This Python makes no virtual environment; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/bitdust help > /dev/null
	touch $@

lint: $(READY)
	$(BIN)/ruff check bitdust tests benchmarks examples setup.py
	$(BIN)/ruff format --check --quiet bitdust

types: $(READY)
	$(BIN)/mypy

layers: $(READY)
	$(BIN)/lint-imports

automats: $(READY)
	$(BIN)/python -m bitdust.automats.kernel.check

# Changes every row of every machine in turn; ends with 1 when a machine's own tests do not notice. `make test` does the
# same as one of its tests. One machine alone: make rows ARGS=online_status
rows: $(READY)
	$(BIN)/python -m tests.rows $(ARGS)

docs: $(READY)
	$(BIN)/python -m bitdust.automats.kernel.diagrams docs/automats --check
	$(BIN)/python -m bitdust.api.pages docs/api --check
	$(BIN)/python -m bitdust.cli.manual docs/man --check
	$(BIN)/python -m bitdust.assembly.packets docs/packets.md --check
	$(BIN)/python -m tests.folder_cases --check

packets: $(READY)
	$(BIN)/python -m bitdust.assembly.packets docs/packets.md

diagrams: $(READY)
	$(BIN)/python -m bitdust.automats.kernel.diagrams docs/automats

# After every change of a method or a command. In a merge conflict take any side of docs/api/ and docs/man/, then run
# this: all of it is written from the table and the commands, and coverage.md by asking a daemon. (.gitattributes lets
# git join both sides by itself.)
api-docs: $(READY)
	$(BIN)/python -m bitdust.api.pages docs/api
	$(BIN)/python -m bitdust.cli.manual docs/man
	$(BIN)/python -m tests.coverage docs/api/coverage.md
	$(BIN)/python -m tests.folder_cases

# Clients of others, for tests: an older one of IPFS, and two of BitTorrent Sync; where there is no package index, those
# tests are skipped.
clients: $(READY)
	@$(BIN)/python -m tests.ipfs_seed.older
	@$(BIN)/python -m tests.btsync_seed.clients

unit: $(READY) clients
	$(BIN)/python -m tests --jobs=$(JOBS) $(ARGS)

# Random runs of a whole network; each seed replays: make chaos SEEDS=17-17 MODE=safety ARGS=-v (MODE=people: messages)
SEEDS ?= 1-20
MODE ?= safety
chaos: $(READY)
	$(BIN)/python -m tests.grid.chaos $(subst -, ,$(SEEDS)) --mode $(MODE) $(ARGS)

# Clients of the API that speak almost HTTP and WebSocket, against a daemon; a seed replays: make fuzz SEED=1 COUNT=20000
SEED ?= 1
COUNT ?= 20000
fuzz: $(READY)
	$(BIN)/python -m tests.hostile.fuzz --seed $(SEED) --count $(COUNT) $(ARGS)

# One scenario, broken at each change of a disk in turn: make crash SCENARIO=upload ARGS="1 20 --how before"
SCENARIO ?= sample
crash: $(READY)
	$(BIN)/python -m tests.grid.crash $(SCENARIO) $(ARGS)

bench: $(READY)
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .import_linter_cache .hypothesis _trial_temp*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
