# Everything a clone needs: `make book` and `make test`. Python 3.11, make and a package registry suffice.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Snakemake asks for an older packaging than the library's pins; it only starts the library's command.
SWEEP := .venv-sweep
SWEEP_STAMP := $(SWEEP)/.installed
CONFIG ?= sweep/shipped.yaml
# Processes that test side by side, one thread each; a file's tests stay together, since they share what they set up.
TEST_PROCESSES ?= 2
# The bundled pyright is the pinned one: do not ask the network whether there is a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help env book course test test-slurm torture lint format saes sweep bench lock licences clean

help:  ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

env: $(STAMP)  ## Make .venv with the pinned packages

# The stamp is written last, so an interrupted installation is taken up again. All but PyTorch is installed by its
# hashes; the second line finds all of it there and adds PyTorch, of which each machine wants another build.
$(STAMP): requirements.lock requirements.hashes pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version)." >&2; exit 1; }
	@echo "Installing the pinned packages into $(VENV) (a few minutes the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.hashes
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

book: $(STAMP)  ## Run the notebooks and build the book; prints where index.html is
	@$(BIN)/absorption book $(if $(AT_ONCE),--at-once $(AT_ONCE))

course: $(STAMP) book  ## Notebooks to teach from, for students and instructors, with a plan: _build/course
	@$(BIN)/absorption course

test: lint $(SWEEP_STAMP)  ## Lint, types, tests, and the notebooks at smoke size
	@OMP_NUM_THREADS=1 THP_MEM_ALLOC_ENABLE=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile \
	  --no-loadscope-reorder

test-slurm: $(STAMP) $(SWEEP_STAMP)  ## Run a small sweep on a real SLURM of one node on this machine
	@$(BIN)/python tests/slurm/check.py

torture: $(STAMP)  ## Kill, fill, damage and feed the library what strangers might: an hour at most, ARGS="--kills 20" for less
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.torture $(ARGS)

lint: $(STAMP)  ## Lint, formatting and types, notebooks included
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

format: $(STAMP)  ## Put code and notebooks in the one format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

saes: $(STAMP)  ## Train the shipped SAEs (hours on a CPU); resumes where it stopped
	@$(BIN)/absorption saes

sweep: $(STAMP) $(SWEEP_STAMP)  ## Run chapters on many SAEs: CONFIG=sweep/x.yaml, PROFILE=sweep/profiles/slurm
	@$(BIN)/absorption sweep $(CONFIG) $(if $(PROFILE),--profile $(PROFILE)) $(ARGS)

$(SWEEP_STAMP): sweep/requirements.lock
	@echo "Installing Snakemake into $(SWEEP) ..."
	@test -x $(SWEEP)/bin/python || $(PYTHON) -m venv $(SWEEP)
	@$(SWEEP)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	  -r sweep/requirements.lock
	@touch $@

bench: $(STAMP)  ## Measure seconds and memory into _build/bench.json
	@$(BIN)/python -m benchmarks

lock:  ## Pin the newest allowed packages anew: requirements.lock, requirements.hashes, environment.yml
	@rm -rf _build/lock && $(PYTHON) -m venv _build/lock
	@_build/lock/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@_build/lock/bin/python -m pip freeze --exclude-editable \
	  | grep -vE '^(nvidia|cuda|triton)' | sed 's/+.*//' > requirements.lock
	@{ sed '/- pip:$$/q' environment.yml; sed 's/^/      - /' requirements.lock; echo '      - -e .'; } \
	  > _build/environment.yml
	@mv _build/environment.yml environment.yml
	@_build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@grep -v '^torch==' requirements.lock > _build/lock/hashed.in
	@_build/lock/bin/uv pip compile --quiet --no-config --no-deps --generate-hashes --python-version 3.11.9 \
	  --no-header --no-annotate --output-file requirements.hashes _build/lock/hashed.in > /dev/null
	@echo "Now: make licences"

# PyTorch's CPU build calls its version 2.x.y+cpu; what a GPU's build brings along is not pinned.
licences: $(STAMP) $(SWEEP_STAMP)  ## Write the licences of all pinned packages: data/licences.csv, sweep/licences.csv
	@mkdir -p _build
	@$(BIN)/pip-licenses --from=mixed --with-system --with-urls --format=csv \
	  --ignore-packages absorption pip setuptools wheel --output-file _build/licences.csv > /dev/null
	@sed -E '/^"(nvidia|cuda|triton)/d; s/^("torch","[0-9.]+)\+[a-z0-9.]+/\1/' _build/licences.csv > data/licences.csv
	@$(BIN)/pip-licenses --python=$(SWEEP)/bin/python --from=mixed --with-system --with-urls --format=csv \
	  --ignore-packages pip setuptools wheel --output-file sweep/licences.csv > /dev/null

clean:  ## Remove what was built; .venv and the cache folder stay
	@rm -rf _build
