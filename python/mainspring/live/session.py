"""Starting, watching and ending a session."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mainspring import _core
from mainspring.backtesting.config import Fees, Limits, RunSettings
from mainspring.backtesting.engine import (
    as_strategies,
    engine_form,
    wanted_bars,
    wanted_features,
)
from mainspring.backtesting.identity import strategy_identity
from mainspring.backtesting.reconciling import Reconcile
from mainspring.errors import ConfigError, MainspringError, StrategyError
from mainspring.live.ccxt_feed import CcxtFeed
from mainspring.live.config import KILL_FILE, Keep, PaperVenue, Recording, Rollout, VenueFeed
from mainspring.live.owner import orders_form, with_owner
from mainspring.risk import Margin, PositionStates, Stop, Validator
from mainspring.strategy.base import Strategy
from mainspring.strategy.native import Native
from mainspring.strategy.undeclared import undeclared_state

if TYPE_CHECKING:
    from mainspring.features import Microprice
    from mainspring.live.ccxt_worker import CcxtWorker
    from mainspring.live.latency import StageLatency
    from mainspring.live.trade import VenueStatus


@dataclass(frozen=True, slots=True)
class ModelSwap:
    """A model that took the place of another between two events.

    It holds from the next event on. What has no model to swap is changed otherwise: parameters of
    quote models by `LiveSession.set_parameters`, volume curves with the next plan that a strategy
    gives; another set of features takes a restart.

    Attributes:
        feature: The feature whose model it is.
        hash: SHA-256 of the model, as the journal has it.
    """

    feature: str
    hash: str


@dataclass(frozen=True, slots=True)
class Status:
    """The kernel as it was after its last input; whole, never torn.

    Counts are those of this life, since the session was started last; `totals` are those of the
    whole journal, over every restart.

    Attributes:
        time_ns: Logical time.
        sequence: The journal's last record.
        rows: Market rows taken.
        orders: Orders sent.
        cancels: Cancels sent.
        fills: Fills booked.
        risk_rejects: Orders that the gate refused.
        totals: Rows, orders, cancels, amends and fills since the journal began.
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
    totals: dict[str, int]
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

    def __init__(
        self,
        core: _core.LiveSession,
        folder: Path,
        strategies: Sequence[Strategy | Native] = (),
        *,
        features: Sequence[Any] = (),
        bars: Sequence[str] = (),
        rollouts: Sequence[Rollout] = (),
        speakers: Sequence[CcxtWorker] = (),
    ) -> None:
        self.folder = folder
        self._speakers = tuple(speakers)
        self._core = core
        self._strategies = list(strategies)
        self._features, self._bars = list(features), set(bars)
        self._rollouts = tuple(rollouts)
        self._replacements = 0
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
    def feeds_ended(self) -> bool:
        """Whether every feed has sent its last message, as recordings do."""
        return self._core.feeds_ended()

    @property
    def halted(self) -> tuple[str, str] | None:
        """Why trading is halted, as cause and text; None while it is not."""
        return self._core.halted()

    @property
    def entries(self) -> list[tuple[int, str, str]]:
        """What the supervisor did: time, cause, text."""
        return self._core.entries()

    @property
    def failures(self) -> list[str]:
        """Which strategies have stopped, and why; the session goes on without them."""
        return self._core.failures()

    @property
    def has_ended(self) -> bool:
        """Whether the session ended by itself: by a signal, a full disk, or a failure."""
        return self._core.has_ended()

    def status(self) -> Status:
        """The newest picture of the kernel."""
        return Status(**json.loads(self._core.status()))

    def latency(self) -> dict[str, StageLatency]:
        """How long each stage from a venue's bytes to an order took, without those never passed."""
        from mainspring.live.latency import StageLatency

        stages = json.loads(self._core.latency())
        return {stage: StageLatency(**one) for stage, one in stages.items()}

    def venues(self) -> list[VenueStatus]:
        """The venues outside: those traded on, or whose market data a paper session has.

        None where its feeds are built in or recorded.
        """
        from mainspring.live.trade import VenueStatus

        return [VenueStatus(**one) for one in json.loads(self._core.venues())]

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

        They are journaled with the reason.

        Raises:
            ConfigError: The engine did not take them; those before go on to hold.
        """
        command = {"command": "set_limits", "limits": limits.to_engine(), "reason": reason}
        self._command(command)

    @property
    def strategies(self) -> tuple[Strategy | Native, ...]:
        """The strategies, the versions that run now."""
        return tuple(self._strategies)

    def set_parameters(
        self, values: Mapping[str, Any], *, strategy: str | int | None = None
    ) -> None:
        """Other values of some parameters from the next event on, all of them or none.

        Journaled as a command: a replay takes them at the same record. They outlive a restart that
        is given the same parameters as this start was.

        Args:
            values: By name.
            strategy: Which, by name or place; needed where there are several.

        Raises:
            ConfigError: There is no such parameter or the value cannot be; nothing has changed.
        """
        index = self._index(strategy)
        one = self._strategies[index]
        told = one.told_parameters(values) if isinstance(one, Native) else _checked(one, values)
        self._command({"command": "set_parameters", "strategy": index, "parameters": told})
        if isinstance(one, Native):
            self._strategies[index] = one.with_parameters(values)

    def swap_model(self, model: Microprice, *, feature: str = "microprice") -> ModelSwap:
        """Another fitted model in the place of one that a feature has, from the next event on.

        Journaled as a command with the model and its hash: a replay takes it at the same record. It
        outlives a restart that is given the model that this start was given.

        Args:
            model: The new fit.
            feature: Which feature, as strategies read it (`m.features.microprice`).

        Returns:
            What took effect; see there for what needs a restart instead.

        Raises:
            ConfigError: The session has no such model (then it takes a restart with the feature),
                or the new one is not whole; nothing has changed.
        """
        table = model.feature["microprice"]["table"]
        told = json.dumps(table, sort_keys=True).encode()
        swap = ModelSwap(feature, hashlib.sha256(told).hexdigest())
        command = {"command": "swap_model", "feature": feature, "model": table, "hash": swap.hash}
        self._command(command)
        return swap

    def set_execution(self, rules: Reconcile | None) -> None:
        """Other rules between wishes and orders from now on, rate budgets included.

        A budget whose limits stay goes on; another begins empty, because nobody knows what counts
        at the venue.

        Raises:
            ConfigError: The engine cannot use them; those before go on to hold.
        """
        for speaker in self._speakers:
            rules = speaker.fitting(rules)
        told = None if rules is None else rules.to_engine()
        self._command({"command": "set_execution", "rules": told})

    def set_waits(self, orders: Mapping[str, Any]) -> None:
        """Other waits for answers, and another policy for orders of others.

        Args:
            orders: In the engine's form, as `paper` takes them.

        Raises:
            ConfigError: A wait cannot be; those before go on to hold.
        """
        self._command({"command": "set_waits", **orders})

    def roll_out(self, percent: int, *, reason: str, strategy: str | int | None = None) -> None:
        """Another share of size for the new version of a strategy, from the next event on.

        The new version gets whole lots of what it asks for, rounded down, the old one the rest.
        What the version whose share shrinks has open is cancelled, and the other grows once that
        is gone. 0 takes everything back at once; a version without a share may still reduce what
        it holds.

        Args:
            percent: 0 to 100.
            reason: Journaled with the command.
            strategy: The new version, by name or place; needed where there are several.

        Raises:
            ConfigError: The session was not started with this rollout, or without a reason.
        """
        if not reason.strip():
            raise ConfigError("say why the new version gets another share")
        if strategy is None and len(self._rollouts) == 1:
            strategy = self._rollouts[0].new
        command = {"command": "set_rollout", "percent": percent, "reason": reason}
        self._command({**command, "strategy": self._index(strategy)})

    def replace_strategy(
        self, new: Strategy, *, strategy: str | int | None = None, timeout: float = 10.0
    ) -> None:
        """Lets another version of a strategy take its place between two events.

        The new version is given what the one before saves (parameters that both were made with
        alike, and `save_state`), and is started; orders and positions are its from then on. It
        takes the name of the one before. The command is journaled with the new version's code
        hash, file and parameters, so that a replay follows it.

        Args:
            new: The new version. Python for Python, compiled for compiled.
            strategy: Which to replace, by name or place; needed where there are several.
            timeout: How long its taking over is waited for, in seconds.

        Raises:
            ConfigError: It cannot run here without a restart, or has state that would be lost.
            StrategyError: It could not take over the state: the version before goes on.
        """
        index = self._index(strategy)
        old = self._strategies[index]
        if isinstance(old, Native) or not isinstance(new, Strategy):
            raise ConfigError(
                f"{old.name} cannot be replaced while it runs: set_parameters changes a native "
                "strategy, and a Python one is replaced by a Python one"
            )
        self._check_fits(new)
        check_state(new)
        new.name = old.name
        self._replacements += 1
        version = self._replacements
        code = json.dumps(strategy_identity(new, new.trigger), default=str)
        self._core.replace(index, engine_form(new), new.trigger, version, code, timeout)
        if not new._compiled:
            self._wait_for(version, timeout)
        self._strategies[index] = new

    def _wait_for(self, version: int, timeout: float) -> None:
        until = time.monotonic() + timeout
        while (why := self._core.replaced(version)) is None:
            if self.has_ended or time.monotonic() > until:
                raise StrategyError(
                    "the new version was not reached yet: it takes over when the worker gets there"
                )
            time.sleep(0.002)
        if why:
            raise StrategyError(f"the version before goes on: {why}")

    def _check_fits(self, new: Strategy) -> None:
        lacks = [str(one) for one in new.features if one not in self._features]
        lacks += [one for one in new.bars if one not in self._bars]
        if lacks:
            lacking = ", ".join(lacks)
            raise ConfigError(f"{new.name} needs a restart: this session has no {lacking}")

    def _index(self, strategy: str | int | None) -> int:
        names = [one.name for one in self._strategies]
        if strategy is None and len(names) == 1:
            return 0
        if isinstance(strategy, int) and 0 <= strategy < len(names):
            return strategy
        if isinstance(strategy, str) and names.count(strategy) == 1:
            return names.index(strategy)
        raise ConfigError(f"which strategy? give a name or place: {', '.join(names)}")

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
        # The last cancels went through them.
        for speaker in self._speakers:
            speaker.close()
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
            error = StrategyError(f"a strategy stopped: {_place(causes[0])}")
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


def _place(error: BaseException) -> str:
    """Where in the strategy it happened, and what."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}: " if frames else ""
    return f"{at}{type(error).__name__}: {error}"


def paper(
    strategy: Strategy | Native | type[Strategy] | Sequence[Strategy | Native],
    folder: str | Path,
    *,
    venue: Feed | Sequence[Feed] | None = None,
    keep: Keep | None = None,
    fees: Fees | None = None,
    limits: Limits | None = None,
    reconcile: Reconcile | None = None,
    margin: Margin | None = None,
    position_states: PositionStates | None = None,
    stops: Sequence[Stop] = (),
    validator: Validator | None = None,
    orders: Mapping[str, Any] | str | None = None,
    rollouts: Sequence[Rollout] = (),
    cash: float | str | Decimal = 100_000,
    features: Sequence[str] = (),
    signals: bool = False,
) -> LiveSession:
    """Starts a paper session, or goes on with the one in `folder`.

    Market data comes from the built-in exchange, recordings, venues outside (`VenueFeed`, or
    `CcxtFeed` for those that only ccxt speaks to), or several of them at once; orders are filled in
    the session's kernel by the models of a backtest, or, with `fill_model="matching"`, in one book
    with the orders of feeds that tell them (`PaperVenue`, `Recording` of orders).

    Args:
        strategy: The strategies, as for `ms.backtest`. Native and compiled ones run in the kernel's
            thread, others on a worker thread that follows the journal.
        folder: Where journal and snapshots are kept.
        venue: The feed or feeds, each a venue; the first says how orders are filled, and with what
            latency.
        keep: Journal, snapshots, supervision.
        fees: In place of the instruments' own.
        limits: Risk limits; they can only tighten the build's.
        reconcile: Rules between wishes and orders; without them quotes are kept exactly as wished.
        margin: Leverage; without it positions are not margined.
        position_states: Shapes what strategies want by how full their positions are.
        stops: Stops that the engine holds for the strategies.
        validator: Who is asked about every order that the limits let through: another process, or
            a function of yours in a thread of its own (`mainspring.risk.CallbackServer`). The
            kernel waits for its answer, at most for its timeout, and takes silence for a no.
        orders: How long answers are waited for and what is done with orders and fills that were
            not placed here: `"report"`, `"cancel"` or `"adopt"` (for the account itself), or all
            of it in the engine's form, `mainspring.config.Config().orders.to_engine()`.
        rollouts: Which strategies are two versions of one and share its size.
        cash: Money at the start, in the first instrument's settlement currency.
        features: Features of every instrument, beside those that strategies name.
        signals: SIGUSR1 halts trading, SIGTERM ends the session, a second one at once.

    Raises:
        ConfigError: A setting cannot be used, a feed does not tell the orders that are to be
            matched, or a strategy has state that a restart would lose.
        MismatchError: The folder is in use, or its journal is of another session.
    """
    folder = Path(folder)
    policy = orders_form(orders)
    strategies = with_owner(as_strategies(strategy), policy)
    for one in strategies:
        check_state(one)
    feeds = _feeds(venue)
    _check_orders_are_told(feeds)
    settings = RunSettings(
        venue=feeds[0].fills,
        latency=feeds[0].latency(),
        fees=fees,
        limits=limits or Limits(),
        reconcile=reconcile,
        margin=margin,
        position_states=position_states,
        stops=stops,
        validator=validator,
        cash={SETTLEMENT: cash},
        features=wanted_features(strategies, features),
        bars=wanted_bars(strategies, ()),
    )
    identities = [strategy_identity(one, one.trigger) for one in strategies]
    kept = (keep or Keep()).to_engine(folder, signals=signals)
    hearers: list[CcxtWorker] = []
    with contextlib.ExitStack() as undo:
        told = [feed.to_feed() for feed in feeds]
        for at, feed in enumerate(feeds):
            if isinstance(feed, CcxtFeed):
                from mainspring.live.ccxt_worker import CcxtWorker

                hearer = CcxtWorker(feed)
                undo.callback(hearer.close)
                told[at]["source"]["venue"]["relayed"] = hearer.told(len(hearers))
                hearers.append(hearer)
        core = _core.start_paper(
            folder,
            json.dumps(
                {
                    "paper": True,
                    "run": settings.to_engine(SETTLEMENT),
                    **rolled(rollouts),
                    **policy,
                }
            ),
            json.dumps(told),
            json.dumps(kept),
            json.dumps(identities, default=str),
            [(engine_form(one), one.trigger) for one in strategies],
            Strategy,
            [hearer.relay for hearer in hearers],
        )
        undo.pop_all()
    return LiveSession(
        core, folder, strategies, features=settings.features, bars=settings.bars,
        rollouts=rollouts, speakers=hearers,
    )  # fmt: skip


Feed = PaperVenue | Recording | VenueFeed | CcxtFeed
"""Where a paper session's market data comes from."""


def _feeds(venue: Feed | Sequence[Feed] | None) -> list[Feed]:
    if venue is None:
        return [PaperVenue()]
    feeds = [venue] if isinstance(venue, Feed) else list(venue)
    if not feeds:
        raise ConfigError("a paper session needs at least one feed")
    return feeds


def _check_orders_are_told(feeds: Sequence[Feed]) -> None:
    """Refuses what tells levels, before anything is connected, where orders are to be matched."""
    if feeds[0].fills.fill_model != "matching":
        return
    for feed in feeds:
        if isinstance(feed, VenueFeed | CcxtFeed):
            name = feed.venue if isinstance(feed, CcxtFeed) else feed.name
            raise ConfigError(
                f"{name}: levels do not say who rests where, so that fill_model matching cannot "
                "have your orders in their book; give generated flow or a recording of orders, or "
                "use fill_model mainspring"
            )


SETTLEMENT = ""
"""Stands for the settlement currency of the session's first instrument."""


def rolled(rollouts: Sequence[Rollout]) -> dict[str, Any]:
    """Rollouts in the engine's form; nothing where there is none."""
    return {"rollouts": [dataclasses.asdict(one) for one in rollouts]} if rollouts else {}


def _checked(strategy: Strategy, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON can hold them, once the strategy's annotations fit."""
    told = {name: strategy._converted(name, value) for name, value in values.items()}
    try:
        json.dumps(told)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{strategy.name}: a value cannot be kept as JSON: {error}") from None
    return told


def check_state(strategy: Strategy | Native) -> None:
    """Refuses a strategy with state that a restart would lose."""
    if isinstance(strategy, Native) or strategy._compiled:
        # Compiled code has numbers in annotated attributes and nothing else: all of them are kept.
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
