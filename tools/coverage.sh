#!/bin/sh
# Line coverage of what money passes through: orders, ledger, risk, execution, matching, journal.
# Needs rustup's llvm-tools. Prints a table of files; COVERAGE_HTML=folder writes the lines too.
set -eu
cd "$(dirname "$0")/.."
tools=$(rustc --print target-libdir)/../bin
test -x "$tools/llvm-cov" || {
    echo "coverage: llvm-cov is missing; rustup component add llvm-tools" >&2
    exit 1
}
target=${CARGO_TARGET_DIR:-target}/coverage
rm -rf "$target/profiles"
export CARGO_TARGET_DIR=$target RUSTFLAGS="-C instrument-coverage"
export LLVM_PROFILE_FILE="$PWD/$target/profiles/%p-%m.profraw"
case $target in /*) export LLVM_PROFILE_FILE="$target/profiles/%p-%m.profraw" ;; esac

packages="-p mainspring-trading -p mainspring-exchange -p mainspring-journal -p mainspring-kernel"
# shellcheck disable=SC2086
cargo test --quiet --locked $packages --tests
# shellcheck disable=SC2086
binaries=$(cargo test --quiet --locked $packages --tests --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\)".*/-object \1/p' | sed '1s/-object //')
"$tools/llvm-profdata" merge -sparse "$target"/profiles/*.profraw -o "$target/merged.profdata"
shown=$(find crates/trading/src crates/exchange/src crates/journal/src -name '*.rs')
# shellcheck disable=SC2086
"$tools/llvm-cov" report --instr-profile "$target/merged.profdata" $binaries $shown
if [ -n "${COVERAGE_HTML:-}" ]; then
    # shellcheck disable=SC2086
    "$tools/llvm-cov" show --format html --output-dir "$COVERAGE_HTML" \
        --instr-profile "$target/merged.profdata" $binaries $shown
fi
