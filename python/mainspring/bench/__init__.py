"""The committed benchmarks: our speed beside that of other engines, or beside a floor.

Machines drift within minutes, so what counts is a ratio taken in one run: the sides run in turn
(A B A B), and each figure is a median. Peers live in an environment of their own, `.venv-peers`,
and run as subprocesses; without it their fields are null. `docs/benchmarks.md` holds what was
measured.
"""

from mainspring.bench.registry import Benchmark, Session, benchmarks, find
from mainspring.bench.result import Measurement

__all__ = ["Benchmark", "Measurement", "Session", "benchmarks", "find"]
