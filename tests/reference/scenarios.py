"""Random feeds and random scripted strategies, as hypothesis strategies."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import strategies as st
from mainspring.reference import (
    ConstantLatency,
    Instrument,
    InstrumentKind,
    Row,
    RowKind,
    RunConfig,
    Side,
    TableLatency,
    VenueConfig,
)
from mainspring.risk import Stop
from mainspring.strategy import Strategy

START_NS = 1_000_000
STEP_NS = 100
MID = 1_000
HALF_TICK = Decimal(Instrument().tick) / 2


@dataclass
class FeedWriter:
    """Writes messages of a sound book: never crossed at the end of a message."""

    instrument: int = 0
    rows: list[Row] = field(default_factory=list)
    exch_ns: int = START_NS
    recv_ns: int = START_NS
    mid: int = MID
    books: dict[Side, dict[int, int]] = field(default_factory=lambda: {Side.BUY: {}, Side.SELL: {}})
    message: list[tuple[RowKind, Side, int, int, bool]] = field(default_factory=list)

    def level(self, side: Side, price: int, qty: int, *, snapshot: bool = False) -> None:
        if qty > 0:
            self.books[side][price] = qty
        else:
            self.books[side].pop(price, None)
        self.message.append((RowKind.DEPTH, side, price, qty, snapshot))

    def put(self, kind: RowKind, side: Side = Side.BUY, price: int = 0, qty: int = 0) -> None:
        self.message.append((kind, side, price, qty, False))

    def move(self, ticks: int, qty: int, *, add_first: bool) -> None:
        """The market moves: levels in the way go, a new best comes, in either order."""
        self.mid += ticks
        side = Side.BUY if ticks > 0 else Side.SELL
        theirs = side.opposite
        price = self.mid - side.sign
        gone = [p for p in self.books[theirs] if theirs.at_least(p, self.mid)]
        steps = [(theirs, p, 0) for p in sorted(gone, reverse=theirs is Side.BUY)]
        new = (side, price, qty)
        for step in [new, *steps] if add_first else [*steps, new]:
            self.level(*step)

    def end(self, dt: int, latency: int) -> None:
        if not self.message:
            return
        self.exch_ns += dt * STEP_NS
        recv_ns = max(self.recv_ns, self.exch_ns + latency * STEP_NS)
        self.recv_ns = recv_ns
        for at, (kind, side, price, qty, snapshot) in enumerate(self.message):
            last = at == len(self.message) - 1
            self.rows.append(
                Row(recv_ns, self.exch_ns, kind, side, price, qty, self.instrument, last, snapshot)
            )
        self.message = []


MOVES = st.one_of(
    st.tuples(
        st.just("level"),
        st.sampled_from(list(Side)),
        st.integers(1, 5),
        st.sampled_from([0, 1, 2, 3, 5, 8, 12]),
    ),
    st.tuples(
        st.just("trade"), st.sampled_from(list(Side)), st.integers(-1, 2), st.integers(1, 10)
    ),
    st.tuples(st.just("move"), st.integers(-2, 2), st.integers(1, 8), st.booleans()),
    st.tuples(
        st.just("rare"),
        st.sampled_from(["mark", "funding", "halt", "open", "snapshot", "gap"]),
        st.integers(-3, 3),
        st.integers(0, 10**9 - 1),
    ),
)
MESSAGES = st.lists(
    st.tuples(st.lists(MOVES, min_size=1, max_size=3), st.integers(0, 4), st.integers(0, 4)),
    min_size=1,
    max_size=40,
)


def write_feed(messages: list[Any], instrument: int = 0) -> list[Row]:
    """Rows of a random feed, a sound book first."""
    feed = FeedWriter(instrument)
    for distance in range(1, 4):
        feed.level(Side.BUY, MID - distance, 4 + distance)
        feed.level(Side.SELL, MID + distance, 5 + distance)
    feed.end(0, 1)
    for moves, dt, latency in messages:
        for move in moves:
            _write_move(feed, move)
        feed.end(dt, latency)
    return feed.rows


def _write_move(feed: FeedWriter, move: tuple[Any, ...]) -> None:
    kind, *values = move
    if kind == "level":
        side, distance, qty = values
        feed.level(side, feed.mid - side.sign * distance, qty)
    elif kind == "trade":
        taker, distance, qty = values
        feed.put(RowKind.TRADE, taker, feed.mid + taker.sign * distance, qty)
    elif kind == "move" and values[0] != 0:
        ticks, qty, add_first = values
        feed.move(ticks, qty, add_first=add_first)
    elif kind == "rare":
        _write_rare(feed, *values)


def _write_rare(feed: FeedWriter, what: str, ticks: int, fraction: int) -> None:
    if what == "mark":
        feed.put(RowKind.MARK, Side.BUY, feed.mid + ticks, fraction)
    elif what == "funding":
        feed.put(RowKind.FUNDING, Side.BUY, 0, ticks * 1_000_003)
    elif what in ("halt", "open"):
        feed.put(RowKind.STATUS, Side.BUY, 0, int(what == "open"))
    elif what == "gap":
        feed.put(RowKind.GAP)
    else:
        feed.end(0, 1)
        for levels in feed.books.values():
            levels.clear()
        for side in (Side.BUY, Side.SELL):
            for distance in (1, 2):
                feed.level(side, feed.mid - side.sign * distance, 3 + ticks, snapshot=True)


PRICED = st.fixed_dictionaries(
    {},
    optional={
        "post_only": st.booleans(),
        "reduce_only": st.booleans(),
        "tif": st.sampled_from(["gtc", "ioc", "fok"]),
        "expires": st.integers(0, 30),
        "display": st.integers(1, 3),
        "trigger": st.integers(-3, 3),
        "pegged": st.integers(0, 2),
        "oco": st.booleans(),
    },
)
UNPRICED = st.fixed_dictionaries(
    {},
    optional={
        "reduce_only": st.booleans(),
        "trigger": st.integers(-3, 3),
        "take_profit": st.integers(-3, 3),
        "trail": st.integers(0, 3),
        "oco": st.booleans(),
    },
)
SIDES = st.sampled_from(["buy", "sell"])


def stop_of(kind: str, figures: tuple[int, int, int]) -> Stop:
    """A stop whose figures are small multiples of the feed's own steps."""
    first, second, third = figures
    distance, step = first * HALF_TICK, second * HALF_TICK
    makers = {
        "fixed": lambda: Stop.fixed(distance),
        "trailing": lambda: Stop.trailing(distance),
        "atr": lambda: Stop.atr(Decimal(first) / 4, 1 + third, (1 + second) * STEP_NS),
        "step": lambda: Stop.step(distance, step),
        "break_even": lambda: Stop.break_even(distance, step, third % second * HALF_TICK),
        "time": lambda: Stop.time(first * second * STEP_NS),
        "equity": lambda: Stop.equity(LOSSES[third]),
    }
    return makers[kind]()


STOP_KINDS = ["fixed", "trailing", "atr", "step", "break_even", "time", "equity"]
LOSSES = ["0.0000001", "0.0001", "0.0005", "0.002"]
FIGURES = st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(0, 3))
STOPS = st.builds(stop_of, st.sampled_from(STOP_KINDS), FIGURES)
ACTIONS = st.one_of(
    st.just(("nothing",)),
    st.tuples(st.just("limit"), SIDES, st.integers(-3, 3), st.integers(1, 9), PRICED),
    st.tuples(st.just("market"), SIDES, st.integers(1, 15), UNPRICED),
    st.tuples(
        st.just("quote"),
        st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=3),
        st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=3),
    ),
    st.tuples(st.just("target"), st.integers(-6, 6), st.sampled_from([None, -1, 0, 1])),
    st.tuples(st.just("cancel"), st.integers(0, 5)),
    st.tuples(st.just("cancel_all")),
    st.tuples(st.just("amend"), st.integers(0, 5), st.integers(-3, 3), st.integers(1, 9)),
    st.tuples(st.just("timer"), st.integers(0, 10)),
    st.tuples(st.just("stop"), STOPS),
    st.tuples(st.just("remove_stops")),
)
SCRIPTS = st.lists(st.lists(ACTIONS, max_size=2), min_size=1, max_size=40)


class Scripted(Strategy):
    """Does one step of its script at each callback on the book and each timer."""

    def follow(self, script: list[Any], trigger: str = "message") -> Scripted:
        self.script = list(script)
        self.when = trigger
        self.at = 0
        self.ids: list[int] = []
        self.seen: list[tuple[Any, ...]] = []
        return self

    @property
    def trigger(self) -> str:
        return self.when

    def on_book(self, m: Any) -> None:
        self.seen.append(("book", m.time_ns, m.bid_ticks, m.ask_ticks, m.position_lots))
        self._next(m)

    def on_timer(self, m: Any, tag: int) -> None:
        self.seen.append(("timer", m.time_ns, tag))
        self._next(m)

    def on_fill(self, m: Any, fill: Any) -> None:
        self.seen.append(("fill", m.time_ns, fill.order_id, fill.price, fill.qty, fill.maker))

    def on_trade(self, m: Any, trade: Any) -> None:
        self.seen.append(("trade", m.time_ns, trade.price, trade.qty))

    def on_order(self, m: Any, order: Any) -> None:
        self.seen.append(("order", m.time_ns, order.id, m.position_lots))

    def _next(self, m: Any) -> None:
        if self.at >= len(self.script):
            return
        for action in self.script[self.at]:
            self._act(m, *action)
        self.at += 1

    def _act(self, m: Any, what: str, *values: Any) -> None:
        touch = m.bid_ticks if m.bid_ticks is not None else MID
        if what == "limit":
            self._limit(m, touch, *values)
        elif what == "market":
            self._market(m, touch, *values)
        elif what == "quote":
            bids, asks = (
                {touch - d if s else touch + 1 + d: q for d, q in levels}
                for s, levels in ((1, values[0]), (0, values[1]))
            )
            m.quote(
                bid=[(p * m.tick, q * m.lot) for p, q in bids.items()],
                ask=[(p * m.tick, q * m.lot) for p, q in asks.items()],
            )
        elif what == "target":
            target, distance = values
            price = None if distance is None else (touch + distance) * m.tick
            m.target_position(target * m.lot, price)
        elif what == "cancel_all":
            m.cancel_all()
        elif what == "stop":
            m.stop(*values)
        elif what == "remove_stops":
            m.remove_stops()
        elif what == "timer":
            m.set_timer(m.time_ns + values[0] * STEP_NS, values[0])
        elif what in ("cancel", "amend") and self.ids:
            order_id = self.ids[-1 - values[0] % len(self.ids)]
            if what == "cancel":
                m.cancel(order_id)
            else:
                m.amend(order_id, (touch + values[1]) * m.tick, values[2] * m.lot)

    def _limit(
        self, m: Any, touch: int, side: str, distance: int, qty: int, asked: dict[str, Any]
    ) -> None:
        options: dict[str, Any] = {
            k: asked[k] for k in ("post_only", "reduce_only", "tif") if k in asked
        }
        price: float | None = (touch + distance) * m.tick
        if "display" in asked:
            options["display"] = asked["display"] * m.lot
        elif "trigger" in asked:
            options["trigger"] = (touch + asked["trigger"]) * m.tick
        elif "pegged" in asked:
            options["kind"], options["offset"] = "pegged", asked["pegged"] * m.tick
            price = None
        if "expires" in asked and "tif" not in asked:
            options["expire_ns"] = m.time_ns + asked["expires"] * STEP_NS
        self._place(m, side, qty, price, asked, options)

    def _market(self, m: Any, touch: int, side: str, qty: int, asked: dict[str, Any]) -> None:
        options: dict[str, Any] = {k: asked[k] for k in ("reduce_only",) if k in asked}
        if "trail" in asked:
            options["trail"] = asked["trail"] * m.tick
        elif "take_profit" in asked:
            options["kind"] = "take_profit"
            options["trigger"] = (touch + asked["take_profit"]) * m.tick
        elif "trigger" in asked:
            options["trigger"] = (touch + asked["trigger"]) * m.tick
        self._place(m, side, qty, None, asked, options)

    def _place(
        self,
        m: Any,
        side: str,
        qty: int,
        price: float | None,
        asked: dict[str, Any],
        options: dict[str, Any],
    ) -> None:
        if asked.get("oco") and self.ids:
            options["oco"] = self.ids[-1]
        place = m.buy if side == "buy" else m.sell
        self.ids.append(place(qty * m.lot, price, **options))


QUEUES = st.sampled_from(
    [
        "risk_averse",
        "prob_power2",
        "prob_power3",
        "prob_power_total2",
        "prob_power_total3",
        "prob_one_minus_power3",
        "prob_log",
        "prob_log2",
    ]
)
LEGS = st.integers(0, 8).map(lambda steps: steps * STEP_NS // 2)
LATENCIES = st.one_of(
    st.builds(ConstantLatency, LEGS, LEGS),
    st.builds(
        ConstantLatency, LEGS, LEGS, cancel=st.tuples(LEGS, LEGS), amend=st.tuples(LEGS, LEGS)
    ),
    st.lists(st.tuples(LEGS, LEGS), min_size=1, max_size=4).map(
        lambda legs: TableLatency(
            [
                (START_NS + 700 * i, START_NS + 700 * i + entry, START_NS + 700 * i + entry + back)
                for i, (entry, back) in enumerate(legs)
            ]
        )
    ),
)
VENUES = st.builds(
    VenueConfig,
    fill_model=st.sampled_from(["mainspring", "mainspring", "hft_no_partial"]),
    queue_model=QUEUES,
    self_trade=st.sampled_from(["cancel_newest", "cancel_oldest", "cancel_both"]),
    trigger_source=st.sampled_from(["last_trade", "mark"]),
    overload=st.sampled_from([None, None, (3, 5 * STEP_NS)]),
)
CONFIGS = st.builds(
    RunConfig,
    venue=VENUES,
    latency=LATENCIES,
    decision_ns=st.sampled_from([0, 50]),
    deposits=st.just({"USDT": "1000000", "BTC": "1000000"}),
    stops=st.one_of(st.just(()), st.lists(STOPS, max_size=2).map(tuple)),
)
INSTRUMENTS = st.builds(
    Instrument,
    kind=st.sampled_from(list(InstrumentKind)),
    multiplier=st.just("1"),
    maker_fee=st.sampled_from(["0", "-0.00005", "0.0002"]),
    taker_fee=st.sampled_from(["0", "0.0005"]),
    min_notional=st.sampled_from(["0", "0", "0.2"]),
    max_qty=st.sampled_from([0, 12]),
)
TRIGGERS = st.sampled_from(["message", "message", "best", "trade", "every:250"])


def dense_messages(random: Random, count: int) -> list[Any]:
    """A busy feed: mostly trades and levels near the market."""
    return [
        (
            [_dense_move(random) for _ in range(random.choice([1, 1, 2, 3]))],
            random.randint(0, 4),
            random.randint(0, 4),
        )
        for _ in range(count)
    ]


def _dense_move(random: Random) -> tuple[Any, ...]:
    what = random.random()
    side = random.choice(list(Side))
    if what < 0.40:
        return ("level", side, random.randint(1, 4), random.choice([0, 1, 2, 3, 5, 8, 12]))
    if what < 0.75:
        return ("trade", side, random.choice([-1, 0, 1, 1, 1, 2]), random.randint(1, 10))
    if what < 0.95:
        return ("move", random.choice([-2, -1, 1, 2]), random.randint(1, 8), random.random() < 0.5)
    rare = random.choice(["mark", "mark", "funding", "snapshot", "open", "halt", "gap"])
    return ("rare", rare, random.randint(-3, 3), random.randrange(10**9))


def dense_script(random: Random, count: int) -> list[Any]:
    """Something to do at most callbacks."""
    return [
        [_dense_action(random) for _ in range(random.choice([0, 1, 1, 2]))] for _ in range(count)
    ]


def _dense_action(random: Random) -> tuple[Any, ...]:
    if random.random() < 0.06:
        figures = (random.randint(1, 9), random.randint(1, 5), random.randint(0, 3))
        return ("stop", stop_of(random.choice(STOP_KINDS), figures))
    what = random.random()
    side = random.choice(["buy", "sell"])
    if what < 0.40:
        wishes: tuple[tuple[str, float, Any], ...] = (
            ("post_only", 0.2, True),
            ("reduce_only", 0.15, True),
            ("tif", 0.2, random.choice(["gtc", "ioc", "fok"])),
            ("expires", 0.1, random.randint(0, 30)),
            ("display", 0.15, random.randint(1, 3)),
            ("trigger", 0.15, random.randint(-3, 3)),
            ("pegged", 0.15, random.randint(0, 2)),
            ("oco", 0.1, True),
        )
        options = {name: value for name, chance, value in wishes if random.random() < chance}
        return ("limit", side, random.randint(-2, 3), random.randint(1, 9), options)
    if what < 0.55:
        stop = random.choice([{}, {"trigger": random.randint(-3, 3)}, {"trail": 1}])
        stop = stop or random.choice([{}, {"take_profit": random.randint(-3, 3)}])
        flags = {k: True for k in ("reduce_only", "oco") if random.random() < 0.15}
        return ("market", side, random.randint(1, 12), {**stop, **flags})
    if what < 0.70:
        sides = [
            [(random.randint(0, 3), random.randint(1, 5)) for _ in range(random.randint(0, 3))]
            for _ in range(2)
        ]
        return ("quote", *sides)
    if what < 0.76:
        return ("target", random.randint(-6, 6), random.choice([None, -1, 0, 1]))
    if what < 0.84:
        return ("cancel", random.randint(0, 5))
    if what < 0.96:
        return ("amend", random.randint(0, 5), random.randint(-2, 3), random.randint(1, 9))
    return ("timer", random.randint(0, 10)) if what < 0.99 else ("cancel_all",)
