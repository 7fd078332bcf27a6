# demo · test · check · bench: one word per action. Needs Python >= 3.11 and nothing else; .venv is made on the first call,
# .venv-slicer (Slicer's own MRML and rendering, Qt without a screen; no torch) on the first call that needs it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SLICER_VENV  := .venv-slicer
SLICER_READY := $(SLICER_VENV)/.ready
SLICER_PARTS := "trame-slicer[standalone]" PySide6-Essentials numba scipy SimpleITK networkx scikit-image psutil pyyaml \
                pytest pytest-timeout hypothesis
# The Slicer release that is aimed at: MRML alone, without views (trame-slicer pins an older slicer-core).
TARGET_VENV  := .venv-slicer512
TARGET_READY := $(TARGET_VENV)/.ready
TARGET_PARTS := slicer-core==5.12.4.0 numba scipy SimpleITK networkx scikit-image psutil pydicom pytest pytest-timeout hypothesis
TARGET_TESTS := $(foreach part,bridge geometry results findings exporting mask_editing display,test_slicer_$(part).py)
# nnU-Net, installed without its dependencies (they drag CUDA): those that importing it needs are pinned in constraints-nnunet.txt.
NNUNET_VENV  := .venv-nnunet
NNUNET_READY := $(NNUNET_VENV)/.ready
NNUNET_PARTS := anyio certifi charset-normalizer h11 idna nibabel requests tqdm tzdata urllib3
OUT    ?= out/demo

.DEFAULT_GOAL := help
.PHONY: help demo test test-core test-slicer test-target test-nnunet test-slow check bench screenshots clean

help:
	@echo "make demo       set up, synthesise a CT from a shipped mask and template, say where the pictures are"
	@echo "make test       set up and run the fast tests (test-core, test-slicer, test-target)"
	@echo "make test-nnunet  the tests against nnU-Net, in an environment of its own (not part of make test)"
	@echo "make test-slow  every test, the slow ones too"
	@echo "make check      format, lint, types, import contract"
	@echo "make bench      timings and memory, with the machine's matrix peak (JSON + table)"

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing: install Python >= 3.11 (Debian: apt-get install python3 python3-venv)"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed: make PYTHON=python3.11 ..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "venv is missing: apt-get install python3-venv"; exit 2; }
	@echo "Setting up $(VENV) (once, a few minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt "setuptools>=77" wheel
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -c constraints.txt -e ".[train,test]"
	@touch $@

$(SLICER_READY): Makefile constraints-slicer.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing: install Python >= 3.11"; exit 2; }
	@$(PYTHON) -c 'import ctypes; ctypes.CDLL("libEGL.so.1")' 2>/dev/null || { echo "libEGL is missing, Slicer's views draw with it: apt-get install libegl1"; exit 2; }
	@test -x $(SLICER_VENV)/bin/python || $(PYTHON) -m venv $(SLICER_VENV) || { echo "venv is missing: apt-get install python3-venv"; exit 2; }
	@echo "Setting up $(SLICER_VENV) (once, about a minute)"
	@$(SLICER_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-slicer.txt $(SLICER_PARTS)
	@touch $@

$(TARGET_READY): Makefile constraints-slicer.txt
	@test -x $(TARGET_VENV)/bin/python || $(PYTHON) -m venv $(TARGET_VENV)
	@echo "Setting up $(TARGET_VENV) (once, about a minute)"
	@grep -v "^slicer-" constraints-slicer.txt > $(TARGET_VENV)/constraints.txt
	@$(TARGET_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c $(TARGET_VENV)/constraints.txt $(TARGET_PARTS)
	@touch $@

$(NNUNET_READY): pyproject.toml constraints.txt constraints-nnunet.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing: install Python >= 3.11"; exit 2; }
	@test -x $(NNUNET_VENV)/bin/python || $(PYTHON) -m venv $(NNUNET_VENV) || { echo "venv is missing: apt-get install python3-venv"; exit 2; }
	@echo "Setting up $(NNUNET_VENV) (once, a few minutes)"
	@$(NNUNET_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt "setuptools>=77" wheel
	@$(NNUNET_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -c constraints.txt -e . \
	  pytest pytest-timeout hypothesis
	@$(NNUNET_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt \
	  -r constraints-nnunet.txt $(NNUNET_PARTS)
	@touch $@

demo: $(READY)
	@$(BIN)/structdiff demo --out $(OUT)

test: test-core test-slicer test-target

test-core: $(READY)
	@$(BIN)/python -m pytest

test-slicer: $(READY) $(SLICER_READY)
	@cd Testing/Slicer && ../../$(SLICER_VENV)/bin/python -m pytest

test-target: $(TARGET_READY)
	@cd Testing/Slicer && ../../$(TARGET_VENV)/bin/python -m pytest $(TARGET_TESTS)

test-nnunet: $(NNUNET_READY)
	@$(NNUNET_VENV)/bin/python -m pytest Testing/NNUNet

test-slow: $(READY) $(SLICER_READY)
	@$(BIN)/python -m pytest -m "slow or not slow"
	@cd Testing/Slicer && ../../$(SLICER_VENV)/bin/python -m pytest -m "slow or not slow"

check: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY) $(SLICER_READY)
	@$(BIN)/python Testing/Benchmarks/bench.py
	@$(BIN)/python Testing/Benchmarks/bench_proof.py
	@$(SLICER_VENV)/bin/python Testing/Benchmarks/bench_slicer.py
	@$(SLICER_VENV)/bin/python Testing/Benchmarks/bench_panel.py

screenshots: $(READY) $(SLICER_READY)
	@$(SLICER_VENV)/bin/python Testing/Slicer/make_screenshots.py
	@$(SLICER_VENV)/bin/python Testing/Slicer/panel_screenshots.py

clean:
	rm -rf $(VENV) $(SLICER_VENV) $(TARGET_VENV) $(NNUNET_VENV) out build dist *.egg-info
