# The studio from one command. `make` alone lists what there is.
#
#   make run OPTIONS="--port 8000 --offline"     options of app.py
#   make run TORCH_INDEX=ADDRESS                 take torch from that package index (README: CPU-only Linux)
#   make test TESTS="tests/test_tasks.py -x"     arguments of pytest
#   make test WORKERS=0                           one test after the other, in this process
#   make run VENV=/elsewhere                     another place for the environment

VENV ?= .venv
PYTHON = $(VENV)/bin/python
TORCH = torch==2.13.0
OPTIONS ?=
TESTS ?=
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help run serve starters audiocraft demucs test test-all check format bench prove space eval-starter eval-composer

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

run: $(VENV)/.starters ## set up .venv and the starters, serve the studio on http://127.0.0.1:7860
	$(PYTHON) app.py $(OPTIONS)

serve: $(VENV)/.starters ## the same, started again after a crash
	$(PYTHON) supervise.py $(OPTIONS)

starters: $(VENV)/.installed ## fetch the starter models that assets/ does not carry
	$(PYTHON) -m studio starters

audiocraft: $(VENV)/.installed ## add the package audiocraft, for AudioGen and MAGNeT
	$(PYTHON) -m pip install -r requirements-audiocraft.txt $(call constraints)
	$(PYTHON) -m pip install --no-deps audiocraft==1.3.0

demucs: $(VENV)/.installed ## add the package demucs, which takes sound apart into stems
	$(PYTHON) -m pip install -r requirements-demucs.txt $(call constraints)
	$(PYTHON) -m pip install --no-deps demucs==4.1.0

test: $(VENV)/.installed-dev $(VENV)/.starters ## every test that CI runs
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not thorough" $(TESTS)

test-all: $(VENV)/.installed-dev $(VENV)/.starters ## those, and the ones that take minutes of a real browser each
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

check: $(VENV)/.installed-dev ## format, lint, types and licences
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/basedpyright --pythonpath $(PYTHON)
	$(PYTHON) -m gate.licences

format: $(VENV)/.installed-dev ## bring the code into the house's format
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(VENV)/.installed-dev $(VENV)/.starters ## measure the claims of speed and memory; OPTIONS="--all" takes the long evaluations, too
	HF_HUB_OFFLINE=1 $(PYTHON) -m benchmarks $(OPTIONS)

space: $(VENV)/.installed-dev ## write the folder of a Hugging Face Space into build/space and check it; OPTIONS="--models FILE --name OWNER/NAME --login"
	$(PYTHON) -m gate.space $(OPTIONS)

prove: $(VENV)/.installed-dev $(VENV)/.starters ## attack it, load it, leave it, kill it: one table of what holds
	HF_HUB_OFFLINE=1 $(PYTHON) -m prove $(OPTIONS)

eval-starter: $(VENV)/.installed-dev $(VENV)/.starters ## judge the picture starter: figures, and sheets in results/starter
	$(PYTHON) -m training.icons.evaluate --out results/starter

eval-composer: $(VENV)/.installed-dev ## judge the composer: its tunes beside tunes that it never saw
	$(PYTHON) -m training.composer.evaluate

# Where it was set up: files that say so, so that the second `make run` starts at once. ---------------------------------------------

$(VENV)/bin/pip:
	@for python in python3.11 python3.12 python3.13; do \
		if $$python -c "" 2>/dev/null; then echo "$$python -m venv $(VENV)"; $$python -m venv $(VENV) && exit 0 || exit 1; fi; \
	done; echo "Atelier needs Python 3.11, 3.12 or 3.13, and none of them is installed here. Install one and run make again."; exit 1

# constraints.txt holds what CI ran, and speaks for CI's platform and Python alone.
$(VENV)/.installed: requirements.txt constraints.txt | $(VENV)/bin/pip
	$(PYTHON) -m pip install $(TORCH) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(PYTHON) -m pip install -r requirements.txt $(call constraints)
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(PYTHON) -m pip install -r requirements-dev.txt $(call constraints)
	@touch $@

# Without a connection the studio starts all the same, and fetches them itself as soon as there is one.
$(VENV)/.starters: $(VENV)/.installed $(wildcard studio/engines/*.py)
	@if $(PYTHON) -m studio starters; then touch $@; else echo "The starter models are not all here yet; the studio fetches them later."; fi

constraints = $$($(PYTHON) -c 'import platform as p, sys; \
	print("-c constraints.txt" if (p.system(), p.machine(), sys.version_info[:2]) == ("Linux", "x86_64", (3, 11)) else "")')
