"""A callback that cannot be called is found when its class is defined, with file and line."""

from __future__ import annotations

import mainspring as ms
import pytest
from mainspring.errors import ConfigError, StrategyError
from mainspring.strategy.callbacks import ARGUMENTS
from mainspring.strategy.loading import load_strategy


def test_the_table_is_the_base_class() -> None:
    callbacks = {name for name in vars(ms.Strategy) if name.startswith("on_")}
    assert callbacks == set(ARGUMENTS)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("def on_trade(self, m): pass", "on_trade(self, m) is called with 2 arguments"),
        ("def on_book(self): pass", "write `def on_book(self, m)`"),
        ("def on_bar(self, m, bar, *, more): pass", "write `def on_bar(self, m, bar)`"),
        ("async def on_book(self, m): pass", "async or a generator"),
        ("def on_fill(self, m, fill): yield", "async or a generator"),
        ("def on_trades(self, m, trade): pass", "never called; did you mean on_trade?"),
        ("def onbook(self, m): pass", "did you mean on_book?"),
    ],
)
def test_what_cannot_be_called_is_refused(tmp_path, line: str, says: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "mine.py"
    path.write_text(f"import mainspring as ms\nclass Mine(ms.Strategy):\n    {line}\n")
    with pytest.raises(StrategyError) as caught:
        load_strategy(str(path))
    assert says in str(caught.value)
    assert "mine.py:3: Mine." in str(caught.value)


def test_what_can_be_called_is_left_alone() -> None:
    class Any(ms.Strategy):
        def on_book(self, m, extra=1, *rest, **more):  # type: ignore[no-untyped-def]
            """More than is given."""

        def on_trade(self, *arguments):  # type: ignore[no-untyped-def]
            """Whatever is given."""

        def on_signal(self) -> None:
            """Its own."""

        def on_books(self) -> None:
            """Its own, beside the callback."""

    with pytest.raises(ConfigError, match="did you mean on_fill"):

        class Wrong(ms.Strategy):
            def on_fills(self) -> None:
                """Nearly a callback."""
