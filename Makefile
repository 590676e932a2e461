# Mainspring. Every target makes or reuses $(VENV) and needs only Python >= 3.11, a stable Rust
# and a C compiler; tools/doctor.sh says which is missing. Stamps keep warm runs short.

VENV ?= .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find crates -name '*.rs' -o -name Cargo.toml)
RUST_TESTED := --workspace --exclude mainspring-python --locked
MUTANTS := -p mainspring-simulation --features mutants --test mutants --locked
PYTEST_ARGS ?=
# Tests wait for sockets, processes and clocks more than they compute: two at a time even on one core.
PYTEST_WORKERS ?= $(shell n=$$(nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2); echo $$(( n < 2 ? 2 : n > 6 ? 6 : n )))
PYTEST = $(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist worksteal
# Property tests try the same examples for the same commit; `make test-long` searches anew.
PROPTEST_RNG_SEED ?= 20261121
BENCH_ARGS ?=
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help demo test test-long soak test-rust test-python build check bench bench-smoke oldest-rust loom miri sanitize coverage fuzz oracles docs lock clean
.DELETE_ON_ERROR:

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMPS)/extension ## backtest a market maker on generated data and write its report
	@$(BIN)/mainspring demo

build: $(STAMPS)/extension ## build the release extension into python/mainspring

test: test-rust test-python ## all quick tests, Rust then Python

test-rust: $(STAMPS)/venv
	@if [ -z "$$MAINSPRING_SEARCH" ]; then export PROPTEST_RNG_SEED=$(PROPTEST_RNG_SEED); fi; \
	if cargo nextest --version >/dev/null 2>&1; then \
	    cargo nextest run $(RUST_TESTED) --no-fail-fast && cargo nextest run $(MUTANTS); \
	else \
	    cargo test $(RUST_TESTED) --no-fail-fast && cargo test $(MUTANTS); \
	fi

test-python: $(STAMPS)/dev $(STAMPS)/extension
	@$(PYTEST) -m "not slow and not oracle" $(PYTEST_ARGS)

test-long: export MAINSPRING_SEARCH = 1
test-long: export MAINSPRING_SEEDS = 10000
test-long: test-rust $(STAMPS)/dev $(STAMPS)/extension ## the slow tests as well
	@$(PYTEST) -m "not oracle" $(PYTEST_ARGS)

soak: $(STAMPS)/dev $(STAMPS)/extension ## an hour on the simulator with faults: memory, books, replay
	$(BIN)/python tests/live/soak.py --minutes $(or $(MINUTES),60)

check: $(STAMPS)/dev $(STAMPS)/extension ## ruff, mypy --strict, clippy, rustfmt, stub check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/cli_reference.py --check || { echo "docs/reference/cli.md is out of date: make docs"; exit 1; }
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	$(BIN)/stubtest mainspring._core --mypy-config-file pyproject.toml --allowlist tools/stubtest-allowlist.txt

bench: $(STAMPS)/dev $(STAMPS)/extension .venv-peers/.stamps/installed ## every benchmark, beside its peers
	$(BIN)/mainspring bench $(BENCH_ARGS)

bench-smoke: $(STAMPS)/dev $(STAMPS)/extension ## one short benchmark, to see that they run
	$(BIN)/mainspring bench --smoke --json

oldest-rust: ## compile with the oldest Rust that Cargo.toml names
	@tools/oldest_rust.sh

loom: ## every interleaving of the lock-free parts
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test -p mainspring-memory --release --locked --test loom

miri: ## the lock-free parts under Miri, where nightly Rust has it
	@if cargo +nightly miri --version >/dev/null 2>&1; then \
	    MIRIFLAGS=-Zmiri-disable-isolation CARGO_TARGET_DIR=target/miri \
	    cargo +nightly miri test -p mainspring-memory --locked --test lock_free; \
	else echo "Miri: skipped (rustup component add miri rust-src --toolchain nightly)" >&2; fi

sanitize: ## the lock-free parts under ThreadSanitizer; needs nightly Rust
	RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" CARGO_TARGET_DIR=target/sanitize \
	TSAN_OPTIONS="suppressions=$(CURDIR)/tools/tsan-suppressions.txt history_size=7" \
	    cargo +nightly test -p mainspring-memory --locked --target $$(rustc -vV | sed -n 's/host: //p') --lib --test lock_free

coverage: ## line coverage of orders, ledger, risk, execution, matching and journal; needs llvm-tools
	tools/coverage.sh

fuzz: ## every decoder against random bytes, FUZZ_SECONDS each; needs cargo-fuzz and nightly Rust
	@for target in $$(cd fuzz && cargo fuzz list); do \
	    cargo +nightly fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=3000 || exit 1; \
	done

oracles: .venv-oracles/.stamps/installed ## the environment of the oracle tests

docs: $(STAMPS)/dev $(STAMPS)/extension ## build the documentation into site/
	$(BIN)/python tools/cli_reference.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "docs: site/index.html"

lock: $(STAMPS)/venv ## write the hashed locks of requirements/ anew
	test -x .venv-lock/bin/uv || { $(BIN)/python -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv; }
	UV=.venv-lock/bin/uv tools/lock.sh

clean: ## remove what was built; environments with it
	rm -rf target site demo-out .venv .venv-oracles .venv-peers .venv-lock python/mainspring/_core*.so
	rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(STAMPS)/venv:
	@python=$$(tools/doctor.sh) && \
	{ test -x $(BIN)/python || "$$python" -m venv $(VENV); } && \
	mkdir -p $(STAMPS) && touch $@

$(STAMPS)/demo: requirements/demo.txt | $(STAMPS)/venv
	$(PIP_INSTALL) -r $<
	@touch $@

$(STAMPS)/dev: requirements/dev.txt | $(STAMPS)/demo
	$(PIP_INSTALL) -r $<
	@touch $@

$(STAMPS)/extension: $(RUST_SOURCES) pyproject.toml | $(STAMPS)/demo
	@tools/doctor.sh >/dev/null
	@# The stamp is as old as the start: what changed during the build is built next time.
	@started=$$(mktemp) && \
	VIRTUAL_ENV=$(abspath $(VENV)) PIP_QUIET=1 $(BIN)/maturin develop --release --locked && \
	touch -r $$started $@; status=$$?; rm -f $$started; exit $$status

.venv-peers/.stamps/installed: requirements/peers.txt | $(STAMPS)/venv
	test -x .venv-peers/bin/python || $(BIN)/python -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@mkdir -p $(@D) && touch $@

.venv-oracles/.stamps/installed: requirements/oracles.txt | $(STAMPS)/venv
	test -x .venv-oracles/bin/python || $(BIN)/python -m venv .venv-oracles
	.venv-oracles/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@# The package itself comes from the tree.
	@.venv-oracles/bin/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "mainspring-tree.pth").write_text("$(CURDIR)/python\n")'
	@mkdir -p $(@D) && touch $@
