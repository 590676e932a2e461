"""The compiled kernel and the reference engine give the same answers, to the lot."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
import scenarios
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kernel_run import Outcome, of_reference, run_kernel
from mainspring.reference import Instrument, RunConfig, run

EXAMPLES = int(os.environ.get("MAINSPRING_REFERENCE_EXAMPLES", "150"))


def compare(kernel: Outcome, reference: Outcome) -> None:
    """Row by row; the first difference is the one to look at."""
    for name in ("orders", "fills"):
        ours, theirs = getattr(kernel, name), getattr(reference, name)
        for at, (got, want) in enumerate(zip(ours, theirs, strict=False)):
            assert got == want, f"{name} row {at}: kernel {got}, reference {want}"
        assert len(ours) == len(theirs), f"{name}: kernel {len(ours)}, reference {len(theirs)}"
    for got, want in zip(kernel.money, reference.money, strict=True):
        assert got == pytest.approx(want, rel=1e-14, abs=1e-17)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    messages=scenarios.MESSAGES,
    script=scenarios.SCRIPTS,
    trigger=scenarios.TRIGGERS,
    instrument=scenarios.INSTRUMENTS,
    config=scenarios.CONFIGS,
)
def test_one_instrument(
    tmp_path: Path,
    messages: list[Any],
    script: list[Any],
    trigger: str,
    instrument: Instrument,
    config: RunConfig,
) -> None:
    rows = scenarios.write_feed(messages)
    fast = scenarios.Scripted().follow(script, trigger)
    slow = scenarios.Scripted().follow(script, trigger)
    reference = of_reference(run(rows, [instrument], slow, config))
    kernel = run_kernel(rows, [instrument], [fast], config, tmp_path)
    compare(kernel, reference)
    assert fast.seen == slow.seen


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 2**32),
    messages=st.integers(1, 80),
    trigger=scenarios.TRIGGERS,
    instrument=scenarios.INSTRUMENTS,
    config=scenarios.CONFIGS,
)
def test_a_busy_market(
    tmp_path: Path,
    seed: int,
    messages: int,
    trigger: str,
    instrument: Instrument,
    config: RunConfig,
) -> None:
    rows = scenarios.write_feed(scenarios.dense_messages(Random(seed), messages))
    script = scenarios.dense_script(Random(~seed), messages)
    fast = scenarios.Scripted().follow(script, trigger)
    slow = scenarios.Scripted().follow(script, trigger)
    reference = of_reference(run(rows, [instrument], slow, config))
    kernel = run_kernel(rows, [instrument], [fast], config, tmp_path)
    compare(kernel, reference)
    assert fast.seen == slow.seen


@settings(
    max_examples=max(EXAMPLES // 5, 1),
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    feeds=st.tuples(scenarios.MESSAGES, scenarios.MESSAGES),
    scripts=st.tuples(scenarios.SCRIPTS, scenarios.SCRIPTS),
    triggers=st.tuples(scenarios.TRIGGERS, scenarios.TRIGGERS),
    config=scenarios.CONFIGS,
)
def test_two_instruments_and_two_strategies(
    tmp_path: Path,
    feeds: tuple[list[Any], list[Any]],
    scripts: tuple[list[Any], list[Any]],
    triggers: tuple[str, str],
    config: RunConfig,
) -> None:
    instruments = [Instrument(taker_fee="0.0005"), Instrument(symbol="ETHUSDT", base="ETH")]
    rows = sorted(
        scenarios.write_feed(feeds[0]) + scenarios.write_feed(feeds[1], 1),
        key=lambda row: row.recv_ns,
    )
    rows = [row for message in _messages(rows) for row in message]
    fast, slow = (
        [scenarios.Scripted().follow(s, t) for s, t in zip(scripts, triggers, strict=True)]
        for _ in range(2)
    )
    reference = of_reference(run(rows, instruments, slow, config))
    kernel = run_kernel(rows, instruments, fast, config, tmp_path)
    compare(kernel, reference)
    assert [f.seen for f in fast] == [s.seen for s in slow]


def _messages(rows: list[Any]) -> list[list[Any]]:
    """Messages of two feeds in one file, each in one piece."""
    whole: list[list[Any]] = []
    pending: dict[int, list[Any]] = {0: [], 1: []}
    for row in rows:
        pending[row.instrument].append(row)
        if row.end_of_message:
            whole.append(pending[row.instrument])
            pending[row.instrument] = []
    return whole
