#!/bin/sh
# Checks the workspace with the oldest Rust that Cargo.toml names. rustup fetches that toolchain when it
# is not here; where it cannot, this says so and is no failure.
set -eu
cd "$(dirname "$0")/.."

oldest=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' Cargo.toml).0
if ! rustup run "$oldest" rustc --version 2>/dev/null &&
    ! timeout 300 rustup toolchain install "$oldest" --profile minimal --no-self-update; then
    echo "oldest Rust: skipped, for $oldest is not here and rustup cannot fetch it" >&2
    exit 0
fi
CARGO_TARGET_DIR=target/oldest rustup run "$oldest" cargo check --workspace --locked --quiet
echo "oldest Rust: the workspace compiles with $oldest"
