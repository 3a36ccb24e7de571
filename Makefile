# Build house of triskel. `make` alone lists the targets; each sets up what it needs by itself.

PYTHON ?= python3
export PYTHON

VENV := .venv
PY := $(VENV)/bin/python
STAGES := capture detect2d triangulate calibration viewer
SETUP := pyproject.toml setup.py constraints.txt scripts/setup.sh
# Scripts in a virtual environment hold absolute paths: a moved or copied tree is set up anew.
PLACE := $(shell pwd | cksum | cut -d' ' -f1)
RUN_STAMP := $(VENV)/.run-$(PLACE)
DEV_STAMP := $(VENV)/.dev-$(PLACE)
PYTEST := $(PY) -P -m pytest
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all check linked wheel format bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(DEV_STAMP) ## install everything into .venv: system libraries, dependencies, tools

demo: $(RUN_STAMP) ## reconstruct a recorded sample in 3D, results in demo-output/ (ARGS="--sample multi")
	$(VENV)/bin/triskel demo $(ARGS)

test: $(DEV_STAMP) ## run the default tests (ARGS="-k lens")
	$(PYTEST) -m "not slow and not network" $(ARGS)

test-all: $(DEV_STAMP) ## run every test, the slow ones and those that need a package index as well
	$(PYTEST) $(ARGS)

check: $(DEV_STAMP) linked ## check format, lint and types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	cd linked && ../$(PY) -m mypy --config-file ../pyproject.toml -p triskel

linked: ## make linked/triskel, the tree of links in which type checkers see the package as it is installed
	@mkdir -p linked/triskel
	@find linked/triskel -xtype l -delete
	@for entry in triskel/*; do \
		case $$entry in */__pycache__) ;; *) ln -sfn "../../$$entry" linked/triskel/ ;; esac; \
	done
	@for stage in $(STAGES); do ln -sfn "../../$$stage" linked/triskel/; done

wheel: $(RUN_STAMP) ## build the wheel into dist/, install it into a clean environment, import every module
	scripts/check_wheel.sh

format: $(DEV_STAMP) ## format the code and fix what the linter can
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

bench: $(RUN_STAMP) ## measure speed on this machine
	$(VENV)/bin/triskel bench $(ARGS)

clean: ## remove what was built, the environment included
	rm -rf $(VENV) linked build dist demo-output *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find triskel $(STAGES) tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN_STAMP): $(SETUP)
	@scripts/setup.sh run
	@touch $@

$(DEV_STAMP): $(SETUP)
	@scripts/setup.sh dev
	@touch $@ $(RUN_STAMP)
