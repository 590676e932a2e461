"""Queue models of the reference engine against the numeric vectors."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from mainspring.reference.queue import QueuePlace, probability_of

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "backtest_realism.json"

# The vectors name these models otherwise than the configuration does.
NAMES = {
    "prob_power2_total": "prob_power_total2",
}


def vectors() -> list[dict[str, Any]]:
    suite = json.loads(VECTORS.read_text())
    return [v for v in suite["vectors"] if v["fn"] == "queue_position"]


@pytest.mark.parametrize("vector", vectors(), ids=lambda v: str(v["id"]))
def test_front_follows_the_vector(vector: dict[str, Any]) -> None:
    inputs, expected = vector["inputs"], vector["expected"]
    model = NAMES.get(inputs["model"], inputs["model"])
    place = QueuePlace(inputs["front"], probability_of(model))
    fronts, filled_at = [], None
    for at, (kind, *quantities) in enumerate(inputs["events"]):
        if kind == "depth":
            place.depth(*quantities)
        else:
            place.trade(*quantities)
        fronts.append(place.front)
        # The vectors' rule of a fill: half a lot or more was traded beyond our place.
        if kind == "trade" and math.floor(-place.front / inputs["lot"] + 0.5) > 0:
            filled_at = at
            break
    tolerance = vector["tolerance"]
    assert filled_at == expected["fill_event_index"]
    assert fronts == pytest.approx(
        expected["front_after"], rel=tolerance["rel"], abs=tolerance["abs"]
    )


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ValueError, match="prob_best"):
        probability_of("prob_best")
