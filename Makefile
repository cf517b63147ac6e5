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
BROWSER := command -v chromium || command -v chromium-browser || command -v google-chrome
RTL := verilator g++ make iverilog yosys
VULKAN := libvulkan1 mesa-vulkan-drivers spirv-tools vulkan-validationlayers
INSTALL := $(AS_ROOT) apt-get update && $(AS_ROOT) apt-get install --yes

.PHONY: demo test lint typed bench qemu chromium rtl vulkan clean

demo: $(READY)
	$(BIN)/python -m examples.demo

test: $(READY) qemu chromium rtl vulkan
	$(BIN)/lit -sv tests
	$(BIN)/pytest -n auto --dist worksteal tests

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
	@($(EMULATOR)) > /dev/null || ($(INSTALL) qemu-user) || echo "no qemu-aarch64: tests that need it are skipped" >&2

# The report's page is tested in a browser; where none can be had, those tests are skipped.
chromium:
	@($(BROWSER)) > /dev/null || ($(INSTALL) --no-install-recommends chromium) || echo "no chromium: tests that need it are skipped" >&2

# The accelerator's Verilog is simulated and synthesised; where a tool cannot be had, tests that need it are skipped.
rtl:
	@(command -v verilator && command -v g++ && command -v iverilog && command -v yosys) > /dev/null || \
	  ($(INSTALL) --no-install-recommends $(RTL)) || echo "no verilator, iverilog or yosys: tests that need them are skipped" >&2

# Models for GPUs run on Mesa's software driver where there is no GPU; their tests are skipped where there is neither.
vulkan: $(READY)
	@$(BIN)/python -c 'from tests.vulkan import complete; exit(not complete())' || ($(INSTALL) $(VULKAN)) || \
	  echo "no Vulkan device, validation layer or spirv-val: tests that need them are skipped" >&2

clean:
	rm -rf $(VENV) build *.egg-info
