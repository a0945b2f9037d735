# Bootstraps uv into .tools/ where the machine has none; everything else is uv's work.
.DEFAULT_GOAL := help
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
BOOTSTRAP := $(filter .tools/bin/uv,$(UV))

.PHONY: help install train test slow coverage check format benchmarks clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/:/' | sed "s,^\([a-z]*\): *,  make \1\t," | expand -t 18

.tools/bin/uv:
	@echo "installing uv into .tools/"
	@$(PYTHON) -m venv .tools && .tools/bin/python -m pip install --quiet uv \
	|| { rm -rf .tools && $(PYTHON) -m pip install --quiet --target .tools/lib uv \
	     && mkdir -p .tools/bin && ln -s ../lib/bin/uv .tools/bin/uv; } \
	|| { echo "cannot install uv: install python3-venv or pip, or uv itself, and try again"; exit 1; }

install: $(BOOTSTRAP)  ## install the project and all that development needs into .venv
	@$(UV) sync

train: $(BOOTSTRAP)  ## train the main experiment: GPT on Python's documentation
	@$(UV) run --no-dev train.py

# Hundreds of processes start: all packages are compiled before, and the processes keep the bytecode of src and tests.
test slow coverage: export UV_COMPILE_BYTECODE = 1
test slow coverage: export PYTHONDONTWRITEBYTECODE =
test: $(BOOTSTRAP)  ## run the tests, but for the slow ones
	@$(UV) run pytest

slow: $(BOOTSTRAP)  ## run the slow tests
	@$(UV) run pytest -m slow

coverage: $(BOOTSTRAP)  ## run the tests, and list the lines of src that none of them reaches
	@$(UV) run pytest --cov --cov-report=term-missing:skip-covered

check: $(BOOTSTRAP)  ## lint, formatting and types
	@$(UV) run ruff check
	@$(UV) run ruff format --check
	@$(UV) run mypy

format: $(BOOTSTRAP)  ## format, and mend what ruff can mend
	@$(UV) run ruff check --fix
	@$(UV) run ruff format

benchmarks: $(BOOTSTRAP)  ## time training steps against transformers and timm, and Lightning against a plain loop
	@$(UV) run benchmarks/training_steps.py
	@$(UV) run benchmarks/lightning_overhead.py

clean:  ## remove what was installed here; runs and caches stay
	rm -rf .venv .tools uv.lock
