"""The market maker as a whole process, from start to printed result."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from mainspring.bench import peers, programs
from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement
from mainspring.bench.timing import in_turn, process

PROGRAMS = Path(programs.__file__).parent


def program_seconds(name: str, *arguments: str, cache: Path | None = None) -> float:
    """Wall seconds of one of our programs; `cache` is where numba keeps what it compiled."""
    package = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": package}
    if cache is not None:
        env["NUMBA_CACHE_DIR"] = str(cache)
    return process([sys.executable, str(PROGRAMS / name), *arguments], env=env)[0]


def native(session: Session) -> Iterator[Measurement]:
    """Native, beside hftbacktest and nautilus_trader."""
    yield from _beside_peers(session, "cold_mm_native", "maker_native.py")


def python(session: Session) -> Iterator[Measurement]:
    """In plain Python, beside the same."""
    yield from _beside_peers(session, "cold_mm_python", "maker_python.py")


def compiled(session: Session) -> Iterator[Measurement]:
    """Compiled with numba: with an empty cache, then with what the first run left in it."""
    program = PROGRAMS / "maker_compiled.py"
    if importlib.util.find_spec("numba") is None or not program.exists():
        return
    path, cache = str(session.workload.event_file()), session.scratch / "numba"

    def first() -> float:
        shutil.rmtree(cache, ignore_errors=True)
        return program_seconds(program.name, path, cache=cache)

    def again() -> float:
        return program_seconds(program.name, path, cache=cache)

    figures = in_turn({"first": first, "again": again}, session.repeats, warm_ups=0)
    yield Measurement("cold_mm_compiled", "seconds", "s", figures["first"])
    yield Measurement("cold_mm_compiled", "seconds_cached", "s", figures["again"])


def _beside_peers(session: Session, name: str, program: str) -> Iterator[Measurement]:
    path, folder = str(session.workload.event_file()), str(session.workload.folder)
    sides: dict[str, Callable[[], float]] = {"ours": lambda: program_seconds(program, path)}
    scripts = {
        "hftbacktest": ("hftbacktest_replay.py", folder, "cold"),
        "nautilus_trader": ("nautilus.py", folder, "mm"),
    }
    found = {peer: version for peer in scripts if (version := session.peer(peer))}
    # The slow one runs once: it takes minutes, and is far from ours.
    for peer in found:
        if peer != "nautilus_trader":
            sides[peer] = lambda peer=peer: peers.run(*scripts[peer])[0]  # type: ignore[misc]
    figures = in_turn(sides, min(session.repeats, 3), warm_ups=0 if session.smoke else 1)
    if "nautilus_trader" in found:
        figures["nautilus_trader"] = peers.run(*scripts["nautilus_trader"])[0]
    value = figures.pop("ours")
    if not figures:
        yield Measurement(name, "seconds", "s", value, "hftbacktest")
    for peer, peer_value in figures.items():
        yield Measurement(name, "seconds", "s", value, peer, peer_value, {peer: found[peer]})
