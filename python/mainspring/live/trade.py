"""Starting a session on venues outside."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring import _core
from mainspring.backtesting.config import Fees, Limits, RunSettings, Span
from mainspring.backtesting.engine import (
    as_strategies,
    engine_form,
    wanted_bars,
    wanted_features,
)
from mainspring.backtesting.identity import strategy_identity
from mainspring.backtesting.reconciling import Reconcile
from mainspring.errors import ConfigError
from mainspring.live import lease as leases
from mainspring.live.ccxt_venue import CcxtVenue
from mainspring.live.config import Keep, Rollout, span_ns
from mainspring.live.owner import orders_form, with_owner
from mainspring.live.session import SETTLEMENT, LiveSession, check_state, rolled
from mainspring.live.venue import LiveVenue
from mainspring.risk import Margin, PositionStates, Stop, Validator
from mainspring.strategy.base import Strategy
from mainspring.strategy.native import Native

if TYPE_CHECKING:
    from mainspring.live.ccxt_worker import CcxtWorker

_TAG = "tag"


def live(
    strategy: Strategy | Native | type[Strategy] | Sequence[Strategy | Native],
    folder: str | Path,
    *,
    venues: TradedVenue | Sequence[TradedVenue],
    size: float,
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
    cash: float | str | Decimal | None = None,
    features: Sequence[str] = (),
    signals: bool = False,
    lease: Span | None = None,
) -> LiveSession:
    """Trades on venues with real orders, or goes on with the session in `folder`.

    Everything is as with `paper`: the same strategy object, journal, limits, kill switch and
    replay. Each venue is looked at before anything is sent, and the session does not start when a
    look finds a problem, or when `LiveVenue.check` did not pass within the last day.

    Args:
        strategy: The strategies, as for `ms.backtest`.
        folder: Where journal and snapshots are kept. It also holds the tag by which our orders are
            told from others on the account: a session goes on in its own folder.
        venues: Where to trade: `LiveVenue`, or `CcxtVenue` for those that only ccxt speaks to.
            Instruments are numbered in this order.
        size: Share of every quantity that strategies ask for which is carried out, above 0 and
            up to 1: begin small. Quantities become whole lots, one at least.
        keep: Journal, snapshots, supervision.
        fees: In place of the account's own, which the venue told.
        limits: Risk limits; they can only tighten the build's.
        reconcile: Rules between wishes and orders.
        margin: Leverage; without it positions are not margined.
        position_states: Shapes what strategies want by how full their positions are.
        stops: Stops that the engine holds for the strategies.
        validator: Who is asked about every order that the limits let through, as in `paper`.
        orders: How long answers are waited for and what is done with orders and fills that were
            not placed here: `"report"`, `"cancel"` or `"adopt"` (for the account itself), or all
            of it in the engine's form, `mainspring.config.Config().orders.to_engine()`.
        rollouts: Which strategies are two versions of one and share its size.
        cash: Money at the start, in the first instrument's settlement currency; without it what
            each venue says the account has.
        features: Features of every instrument, beside those that strategies name.
        signals: SIGUSR1 halts trading, SIGTERM ends the session, a second one at once.
        lease: Starts a process that cancels this session's orders at every venue when it has given
            no sign of life for so long: killed, stopped, or a kernel that hangs. What a venue's own
            countdown does, for venues that have none (spot) and for longer silences.

    Raises:
        ConfigError: A setting cannot be used, a venue's look did not pass, a key is missing, or a
            strategy has state that a restart would lose.
        MismatchError: The folder is in use, or its journal is of another session.
    """
    folder = Path(folder)
    places = [venues] if isinstance(venues, LiveVenue | CcxtVenue) else list(venues)
    if not 0 < size <= 1:
        raise ConfigError(f"a size of {size}; give the share of quantities to trade, such as 0.1")
    _check_places(places)
    policy = orders_form(orders)
    strategies = with_owner(as_strategies(strategy), policy)
    for one in strategies:
        check_state(one)
    settings = RunSettings(
        fees=fees,
        limits=limits or Limits(),
        reconcile=reconcile,
        margin=margin,
        position_states=position_states,
        stops=stops,
        validator=validator,
        cash={SETTLEMENT: "0" if cash is None else cash},
        features=wanted_features(strategies, features),
        bars=wanted_bars(strategies, ()),
    )
    size_bps = max(1, round(size * 10_000))
    everyone = [*strategies, *_hedges(places, size_bps)]
    tag = tag_of(folder)
    kept = (keep or Keep()).to_engine(folder, signals=signals)
    with contextlib.ExitStack() as undo:
        told, secret, workers = _spoken_to(places, tag, undo)
        for worker in workers:
            reconcile = worker.fitting(reconcile)
        settings = dataclasses.replace(settings, reconcile=reconcile)
        run = {**settings.to_engine(SETTLEMENT), "size_bps": size_bps}
        with _leased(folder, places, tag, lease, kept):
            core = _core.start_live(
                folder,
                json.dumps({"run": run, **rolled(rollouts), **policy}),
                json.dumps(told),
                secret,
                cash is None,
                json.dumps(kept),
                json.dumps([strategy_identity(one, one.trigger) for one in everyone], default=str),
                [(engine_form(one), one.trigger) for one in everyone],
                Strategy,
                [worker.relay for worker in workers],
            )
        undo.pop_all()
    return LiveSession(
        core, folder, strategies, features=settings.features, bars=settings.bars,
        rollouts=rollouts, speakers=workers,
    )  # fmt: skip


TradedVenue = LiveVenue | CcxtVenue
"""Where orders go."""

_Secrets = tuple[bytes | None, bytes | None, bytes | None]


def _spoken_to(
    places: Sequence[TradedVenue], tag: int, undo: contextlib.ExitStack
) -> tuple[list[dict[str, Any]], list[_Secrets], list[CcxtWorker]]:
    """The venues in the engine's form, their secrets, and those who speak to them by ccxt."""
    told: list[dict[str, Any]] = []
    secret: list[_Secrets] = []
    workers: list[CcxtWorker] = []
    for place in places:
        told.append(place.to_engine(tag))
        if isinstance(place, LiveVenue):
            secret.append(place.credentials.parts())
            continue
        from mainspring.live.ccxt_worker import CcxtWorker

        worker = CcxtWorker(place)
        undo.callback(worker.close)
        told[-1]["relayed"] = worker.told(len(workers))
        workers.append(worker)
        # ccxt has the key; the engine needs none.
        secret.append((None, None, None))
    return told, secret, workers


@contextlib.contextmanager
def _leased(
    folder: Path,
    places: Sequence[TradedVenue],
    tag: int,
    after: Span | None,
    kept: dict[str, Any],
) -> Iterator[None]:
    """Starts the watcher of a lease for a session that begins inside; it goes when none does."""
    if after is None:
        yield
        return
    after_s = leases.checked_lease(span_ns(after, "lease") / 1e9)
    watched = [place for place in places if isinstance(place, LiveVenue)]
    if len(watched) < len(places):
        raise ConfigError("the watcher of a lease does not speak to venues by ccxt: leave it out")
    kept["lease_file"] = str(folder / leases.LEASE_FILE)
    watcher = leases.spawn(folder, [leases.Place.of(place, tag) for place in watched], after_s)
    try:
        yield
    except BaseException:
        watcher.kill()
        raise


def _check_places(places: Sequence[TradedVenue]) -> None:
    if not places:
        raise ConfigError("name a venue to trade on")
    names = [place.name for place in places]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{name} is named twice: give all its symbols at once")
    for place in places:
        has_own = isinstance(place, CcxtVenue) and place.client is not None
        if not place.credentials.secret and not has_own:
            raise ConfigError(f"{place.name}: orders need a key; see mainspring.live.credentials")
        why = place.last_check()
        if why is not None:
            raise ConfigError(why)


def _hedges(places: Sequence[TradedVenue], size_bps: int) -> list[Native]:
    """The engine's own strategies behind those of the session."""
    wanted = [place.loss_hedge(size_bps) for place in places]
    hedges = [one for one in wanted if one is not None]
    if not hedges:
        return []
    pairs = [pair for one in hedges for pair in one.pairs]
    known = {f"{place.name}:{symbol}" for place in places for symbol in place.symbols}
    for pair in pairs:
        if pair["on"] not in known:
            raise ConfigError(f"{pair['lost']} cannot be hedged on {pair['on']}: not traded here")
    if len({(one.after_ms, str(one.slice)) for one in hedges}) > 1:
        raise ConfigError("hedges of one session have the same `after` and `slice`")
    return [dataclasses.replace(hedges[0], pairs=pairs)]


def tag_of(folder: Path) -> int:
    """The tag in our order ids: drawn once, then the folder's."""
    path = folder / _TAG
    try:
        return int(path.read_text())
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        tag = secrets.randbits(32)
        new = path.with_name(_TAG + ".new")
        new.write_text(f"{tag}\n")
        new.replace(path)
        return tag
    except ValueError:
        raise ConfigError(f"{path} holds no number: is {folder} a session's folder?") from None


@dataclasses.dataclass(frozen=True, slots=True)
class VenueStatus:
    """A venue as its session sees it.

    Attributes:
        venue: Its name.
        up: Whether orders can be sent and statements come in.
        fresh: Whether market data can be relied on.
        clock_offset_ns: The venue's time is ours and so much.
        clock_error_ns: Give or take so much.
        balances: Currency, total and free.
        messages: Messages of the venue.
        rows: Rows of market data.
        lost: Times that the kernel did not keep up and rows were dropped.
        copies_dropped: Messages that another connection to the same stream had brought before.
        closed: Connections that ended.
        last_closed: Why the last one did.
        notes: The newest lines of the log: time, level, topic, text.
    """

    venue: str
    up: bool
    fresh: bool
    clock_offset_ns: int | None
    clock_error_ns: int | None
    balances: list[dict[str, Any]]
    messages: int
    rows: int
    lost: int
    copies_dropped: int
    closed: int
    last_closed: str
    notes: list[dict[str, Any]]
