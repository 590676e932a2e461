"""Starting, watching and ending a session."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mainspring import _core
from mainspring.backtesting.config import Fees, Limits, RunSettings
from mainspring.backtesting.engine import as_strategies, wanted_bars, wanted_features
from mainspring.backtesting.identity import strategy_identity
from mainspring.backtesting.reconciling import Reconcile
from mainspring.errors import ConfigError, MainspringError, StrategyError
from mainspring.live.config import KILL_FILE, Keep, PaperVenue
from mainspring.risk import Margin, PositionStates, Stop
from mainspring.strategy.base import Strategy
from mainspring.strategy.native import Native
from mainspring.strategy.undeclared import undeclared_state


@dataclass(frozen=True, slots=True)
class Status:
    """The kernel as it was after its last input; whole, never torn.

    Attributes:
        time_ns: Logical time.
        sequence: The journal's last record.
        rows: Market rows taken.
        orders: Orders sent.
        cancels: Cancels sent.
        fills: Fills booked.
        risk_rejects: Orders that the gate refused.
        open_orders: Live orders.
        halted: Whether trading is halted.
        markets: For each market its symbol, venue, best prices and position, in ticks and lots.
    """

    time_ns: int
    sequence: int
    rows: int
    orders: int
    cancels: int
    fills: int
    risk_rejects: int
    open_orders: int
    halted: bool
    markets: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session ended.

    Attributes:
        broken: Why it broke off; None when it ended in order.
        stop_ns: From the order to end until the journal was whole on the disk.
        status: The last status.
    """

    broken: str | None
    stop_ns: int
    status: Status


class LiveSession:
    """A running session. Use it as a context manager: leaving it ends the session in order."""

    def __init__(self, core: _core.LiveSession, folder: Path) -> None:
        self.folder = folder
        self._core = core
        self._outcome: Outcome | None = None
        self._worker_error: BaseException | None = None
        self._worker: threading.Thread | None = None
        if core.needs_worker():
            self._worker = threading.Thread(target=self._work, name="strategies", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        try:
            self._core.run_worker()
        except BaseException as error:
            self._worker_error = error
            self._core.kill(f"the strategies' worker ended: {error}")

    @property
    def resumed(self) -> bool:
        """Whether the folder had a session before, which this one goes on with."""
        return bool(json.loads(self._core.recovery())["resumed"])

    @property
    def recovery(self) -> dict[str, Any]:
        """What the recovery at the start read, found and cut."""
        report: dict[str, Any] = json.loads(self._core.recovery())["report"]
        return report

    @property
    def halted(self) -> tuple[str, str] | None:
        """Why trading is halted, as cause and text; None while it is not."""
        return self._core.halted()

    @property
    def entries(self) -> list[tuple[int, str, str]]:
        """What the supervisor did: time, cause, text."""
        return self._core.entries()

    @property
    def has_ended(self) -> bool:
        """Whether the session ended by itself: by a signal, a full disk, or a failure."""
        return self._core.has_ended()

    def status(self) -> Status:
        """The newest picture of the kernel."""
        return Status(**json.loads(self._core.status()))

    def wait(self, seconds: float) -> bool:
        """Waits; false when the session ended before."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.has_ended:
                return False
            time.sleep(min(0.05, max(0.0, until - time.monotonic())))
        return True

    def kill(self, why: str) -> None:
        """Stops new orders and cancels all that are open. Never undone by itself."""
        self._core.kill(why)

    def rearm(self, reason: str) -> None:
        """Lets trading go on after a halt: a person's decision, journaled with its reason.

        Raises:
            ConfigError: Without a reason.
        """
        if not reason.strip():
            raise ConfigError("say why it is safe to trade again")
        (self.folder / KILL_FILE).unlink(missing_ok=True)
        self._command({"command": "rearm", "reason": reason})

    def flatten(self) -> None:
        """Closes every position at the market."""
        self._command({"command": "flatten"})

    def cancel_all(self) -> None:
        """Cancels every open order; strategies go on."""
        self._command({"command": "cancel_all"})

    def set_limits(self, limits: Limits, *, reason: str = "") -> None:
        """Other limits from now on, all of them; loosening any needs a reason.

        They are journaled with the reason. The engine says in a notice whether it took them.
        """
        command = {"command": "set_limits", "limits": limits.to_engine(), "reason": reason}
        self._command(command)

    def snapshot(self) -> None:
        """Keeps the state on the disk now."""
        self._core.snapshot()

    def _command(self, command: dict[str, Any]) -> None:
        self._core.command(json.dumps(command), 5.0)

    def stop(self, *, cancel: bool = True) -> Outcome:
        """Ends the session: open orders are cancelled, the journal is closed.

        Raises:
            StrategyError: A strategy failed on the way; its exception is the cause.
        """
        told = self._core.stop(cancel)
        if self._worker is not None and self._worker is not threading.current_thread():
            # A strategy that hangs cannot be waited for.
            self._worker.join(timeout=1.0)
        if told is not None:
            ended = json.loads(told)
            status = Status(**ended["status"])
            self._outcome = Outcome(ended["broken"], ended["stop_ns"], status)
        if self._outcome is None:
            raise MainspringError("the session was never started")
        self._raise_failures()
        return self._outcome

    def _raise_failures(self) -> None:
        causes = self._core.exceptions()
        if causes:
            error = StrategyError(f"a strategy stopped: {causes[0]!r}")
            raise error from causes[0]
        if self._worker_error is not None:
            error = StrategyError(f"the strategies' worker ended: {self._worker_error}")
            raise error from self._worker_error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.stop()
            return
        # The first error counts.
        with contextlib.suppress(MainspringError):
            self.stop()


def paper(
    strategy: Strategy | Native | type[Strategy] | Sequence[Strategy | Native],
    folder: str | Path,
    *,
    venue: PaperVenue | None = None,
    keep: Keep | None = None,
    fees: Fees | None = None,
    limits: Limits | None = None,
    reconcile: Reconcile | None = None,
    margin: Margin | None = None,
    position_states: PositionStates | None = None,
    stops: Sequence[Stop] = (),
    orders: Mapping[str, Any] | None = None,
    cash: float | str | Decimal = 100_000,
    features: Sequence[str] = (),
    signals: bool = False,
) -> LiveSession:
    """Starts a session against the built-in venue, or goes on with the one in `folder`.

    Args:
        strategy: The strategies, as for `ms.backtest`. Native ones run in the kernel's thread,
            others on a worker thread that follows the journal.
        folder: Where journal and snapshots are kept.
        venue: The built-in venue.
        keep: Journal, snapshots, supervision.
        fees: In place of the instruments' own.
        limits: Risk limits; they can only tighten the build's.
        reconcile: Rules between wishes and orders; without them quotes are kept exactly as wished.
        margin: Leverage; without it positions are not margined.
        position_states: Shapes what strategies want by how full their positions are.
        stops: Stops that the engine holds for the strategies.
        orders: How long answers are waited for and what is done with foreign orders, in the
            engine's form: `mainspring.config.Config().orders.to_engine()`.
        cash: Money at the start, in the first instrument's settlement currency.
        features: Features of every instrument, beside those that strategies name.
        signals: SIGUSR1 halts trading, SIGTERM ends the session, a second one at once.

    Raises:
        ConfigError: A setting cannot be used, or a strategy has state that a restart would lose.
        MismatchError: The folder is in use, or its journal is of another session.
    """
    folder = Path(folder)
    strategies = as_strategies(strategy)
    for one in strategies:
        _check_state(one)
    venue = venue or PaperVenue()
    settings = RunSettings(
        fees=fees,
        limits=limits or Limits(),
        reconcile=reconcile,
        margin=margin,
        position_states=position_states,
        stops=stops,
        cash={SETTLEMENT: cash},
        features=wanted_features(strategies, features),
        bars=wanted_bars(strategies, ()),
    )
    identities = [strategy_identity(one, one.trigger) for one in strategies]
    core = _core.start_paper(
        folder,
        json.dumps({"run": settings.to_engine(SETTLEMENT), **(orders or {})}),
        json.dumps(venue.to_engine()),
        json.dumps((keep or Keep()).to_engine(folder, signals=signals)),
        json.dumps(identities, default=str),
        [(_form(one), one.trigger) for one in strategies],
        Strategy,
    )
    return LiveSession(core, folder)


SETTLEMENT = ""
"""Stands for the settlement currency of the session's first instrument."""


def _form(strategy: Strategy | Native) -> Any:
    """A native strategy as the engine is told, any other as it is: it runs on the worker."""
    return strategy.to_engine() if isinstance(strategy, Native) else strategy


def _check_state(strategy: Strategy | Native) -> None:
    if isinstance(strategy, Native):
        return
    lost = undeclared_state(strategy)
    if lost:
        names = ", ".join(f"self.{name}" for name in lost)
        raise ConfigError(
            f"strategy {strategy.name} changes {names}, which a restart would lose: make it a "
            "parameter (an annotated attribute), or override save_state and load_state"
        )
    try:
        strategy._save_state()
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"strategy {strategy.name}: its state cannot be kept as JSON: {error}"
        ) from None
