"""Between an event and an order no lock, no clock, no waiting: `clippy.toml` says which."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ON_THE_WAY = (
    "core",
    "memory",
    "book",
    "features",
    "models",
    "trading",
    "sim",
    "exchange",
    "journal",
    "kernel",
)

LINE = "#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods))]"

REFUSED = {
    "disallowed-types": ("std::sync::Mutex", "std::sync::RwLock", "std::sync::Condvar"),
    "disallowed-methods": (
        "std::time::Instant::now",
        "std::time::SystemTime::now",
        "std::thread::sleep",
        "std::thread::spawn",
    ),
}

WHERE_ALLOWED = {
    "book": {"bench.rs"},
    "exchange": {"bench.rs"},
    "journal": {"log.rs", "bench.rs", "cursor.rs", "keeper.rs", "shared.rs", "writer.rs"},
    "kernel": {"bench.rs", "run.rs", "read_ahead.rs", "mod.rs"},
    "memory": {"system_calls.rs"},
    "trading": {"bench.rs", "validator.rs"},
}
"""Files with an exception, which has its reason beside it; a new one is to be thought about."""


@pytest.mark.parametrize("crate", ON_THE_WAY)
def test_a_crate_on_the_way_denies_them(crate: str) -> None:
    sources = ROOT / "crates" / crate / "src"
    assert LINE in (sources / "lib.rs").read_text(encoding="utf-8").splitlines()
    excepted = set()
    for file in sources.rglob("*.rs"):
        text = file.read_text(encoding="utf-8")
        if "allow(" in text and "clippy::disallowed_" in text and file.name != "lib.rs":
            assert "reason = " in text
            excepted.add(file.name)
    assert excepted <= WHERE_ALLOWED.get(crate, set())


def test_what_is_refused_is_listed() -> None:
    listed = tomllib.loads((ROOT / "clippy.toml").read_text(encoding="utf-8"))
    for kind, wanted in REFUSED.items():
        assert set(wanted) <= {entry["path"] for entry in listed[kind]}
