#!/bin/sh
# Preflight of `make`: finds a Python >= 3.11 with venv and pip, a stable Rust and a C compiler.
# Prints the Python to use on stdout; says on stderr what is missing or too old and how to get it.
set -u
cd "$(dirname "$0")/.."

rust_min=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' Cargo.toml)
problems=0

problem() { # what, how to get it
    printf 'mainspring: %s\n            %s\n' "$1" "$2" >&2
    problems=$((problems + 1))
}

older() { # is version $1 older than $2 (major.minor)?
    awk -v have="$1" -v want="$2" 'BEGIN {
        split(have, h, "."); split(want, w, ".")
        exit !(h[1] + 0 < w[1] + 0 || (h[1] + 0 == w[1] + 0 && h[2] + 0 < w[2] + 0))
    }'
}

python_of() { # the first candidate that is at least 3.11, with its version; or the newest seen
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
        version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        seen="${seen:-} $candidate ($version)"
        older "$version" 3.11 || { python=$candidate; return 0; }
    done
    return 1
}

check_python() {
    if ! python_of; then
        problem "no Python 3.11 or newer found${seen:+; there is$seen}" \
            "Install one (Debian 12+, Ubuntu 24.04+: apt install python3 python3-venv; macOS: brew install python) or point at one: make PYTHON=/path/to/python3.12"
        return
    fi
    # Debian packs venv and ensurepip apart from python3: importing venv works, making one does not.
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        problem "$python ($version) cannot make a virtual environment: its venv or ensurepip module is missing" \
            "Debian and Ubuntu: apt install python$version-venv"
    fi
}

check_rust() {
    if ! command -v cargo >/dev/null 2>&1 || ! version=$(rustc --version 2>/dev/null); then
        problem "no Rust toolchain found (cargo, rustc)" \
            "Install Rust $rust_min or newer with rustup (https://rustup.rs), or your system's rustup package"
        return
    fi
    version=$(printf '%s' "$version" | cut -d' ' -f2)
    if older "$version" "$rust_min"; then
        problem "Rust $version is too old: $rust_min or newer is needed" \
            "rustup update stable   (a distribution's own rustc is often older: install rustup)"
    fi
}

check_cc() {
    for candidate in ${CC:-} cc gcc clang; do
        command -v "$candidate" >/dev/null 2>&1 && return
    done
    problem "no C compiler found: Rust links with cc" \
        "Debian and Ubuntu: apt install gcc libc6-dev; Fedora: dnf install gcc; macOS: xcode-select --install"
}

check_python
check_rust
check_cc
[ "$problems" -eq 0 ] || exit 1
printf '%s\n' "$python"
