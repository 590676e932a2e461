"""A strategy in a file of its own, so that other processes can load it: see `sweep.py`."""

import mainspring as ms


class Lean(ms.Strategy, every="1s"):
    """Follows a book that leans far to one side."""

    threshold: float = 0.4
    size: ms.Qty = ms.Qty("0.01")

    def on_book(self, m: ms.Market) -> None:
        lean = m.features.imbalance
        if abs(lean) > self.threshold:
            m.target_position(self.size if lean > 0 else -self.size)
