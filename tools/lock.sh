#!/bin/sh
# Writes the hashed locks of requirements/ from pyproject.toml, for every Python >= 3.11 and platform.
# `make lock` runs it; it needs uv, which `make lock` puts into a venv of its own.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-uv}

compile() { # output, then uv's arguments
    out=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --custom-compile-command "make lock" --output-file "$out" "$@"
}

# dev first: what the demo installs is then the same versions, so that one venv serves both.
compile requirements/dev.txt pyproject.toml \
    --extra report --extra data --extra compiled --extra keys \
    --group build --group test --group lint --group docs
compile requirements/demo.txt pyproject.toml --extra report --group build \
    --constraint requirements/dev.txt
# Our own dependencies too: the tests import mainspring beside them.
compile requirements/oracles.txt requirements/oracles.in pyproject.toml
compile requirements/peers.txt requirements/peers.in
