# make demo   environment, ResNet-50 dense and pruned for this machine and for Android, run and compared
# make test   environment, what the tests need from apt, lit and pytest
# make lint   ruff and pyright
# make bench  latency beside ONNX Runtime, OpenVINO, MNN and ncnn

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)
EMULATOR := command -v qemu-aarch64 || command -v qemu-aarch64-static
INSTALL := $(AS_ROOT) apt-get update && $(AS_ROOT) apt-get install --yes qemu-user

.PHONY: demo test lint typed bench qemu clean

demo: $(READY)
	$(BIN)/python -m examples.demo

test: $(READY) qemu
	$(BIN)/lit -sv tests
	$(BIN)/pytest tests

lint: $(READY) typed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

# The package as it is installed, in links: pyright does not know that cocomp lives in compiler/.
typed:
	rm -rf build/typed && mkdir -p build/typed
	cp -rs $(abspath compiler) build/typed/cocomp
	cp -rs $(abspath dialects passes runtime) build/typed/cocomp/

bench: $(READY)
	$(BIN)/python -m benchmarks.cpu

# torchvision's own requirement would replace PyTorch's CPU build.
$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[test,lint]'
	$(BIN)/pip install --quiet --no-deps torchvision==0.28.0
	touch $@

# AArch64 artefacts are tested under user-mode emulation; where it cannot be had, those tests are skipped.
qemu:
	@($(EMULATOR)) > /dev/null || ($(INSTALL)) || echo "no qemu-aarch64: tests that need it are skipped" >&2

clean:
	rm -rf $(VENV) build *.egg-info
