"""`mainspring bench`: the committed benchmarks."""

from __future__ import annotations
