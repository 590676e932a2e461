"""The exchange behind a venue's protocol, on a port of this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from mainspring.errors import InvalidValue

if TYPE_CHECKING:
    from mainspring.data.dataset import Dataset, PathArg

Dialect = Literal["binance", "okx", "bybit", "hyperliquid", "dydx"]
RequestFault = Literal["too_many_requests", "banned", "server_error", "unknown_outcome"]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the exchange.

    Attributes:
        key: API key, or the address of its wallet (Hyperliquid, dYdX).
        secret: what its requests are signed with: an HMAC secret, or a wallet's private key.
        passphrase: of the key, for OKX.
        spot: balances of the spot wallet, by currency.
        usdm: balances of the futures wallet.
    """

    key: str = "simulator-key"
    secret: str = field(default="simulator-secret", repr=False)
    passphrase: str = field(default="simulator-passphrase", repr=False)
    spot: Mapping[str, str] = field(
        default_factory=lambda: {"USDT": "1000000", "BTC": "10", "ETH": "100"}
    )
    usdm: Mapping[str, str] = field(default_factory=lambda: {"USDT": "1000000"})


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, as shares of one unless the name says otherwise.

    Attributes:
        latency_ms: median time added to every answer.
        latency_log_sd: standard deviation of its logarithm.
        too_many_requests: requests refused with 429 before they do anything.
        banned: requests refused with 418.
        server_error: requests that fail with 503 before they do anything.
        unknown_outcome: requests carried out but answered with 503 and code -1007.
        gap: market messages left out.
        duplicate: market messages sent twice.
        reorder: market messages that come after the one behind them.
        partial_fill: limit orders that find what was there taken but for half of their quantity.
        disconnect: market messages after which the connection is cut.
        clock_skew_ms: what the venue's clock is ahead of this machine's.
        maintenance: every request is answered with 503.
        user_gap: members are not told what becomes of their orders.
    """

    latency_ms: float = 0.0
    latency_log_sd: float = 0.0
    too_many_requests: float = 0.0
    banned: float = 0.0
    server_error: float = 0.0
    unknown_outcome: float = 0.0
    gap: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    partial_fill: float = 0.0
    disconnect: float = 0.0
    clock_skew_ms: int = 0
    maintenance: bool = False
    user_gap: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Rate limits, the venue's own by default.

    Attributes:
        spot_weight: request weight in a minute, spot.
        usdm_weight: request weight in a minute, USD-M.
        spot_orders: orders of a key in ten seconds, spot.
        usdm_orders: orders of a key in ten seconds, USD-M.
        refusals: refusals in a minute after which the address is banned for two.
    """

    spot_weight: int = 6_000
    usdm_weight: int = 2_400
    spot_orders: int = 100
    usdm_orders: int = 300
    refusals: int = 100


@dataclass(frozen=True, slots=True)
class RecordingState:
    """How far a served recording is.

    Attributes:
        time_ns: the recording's time of its last message.
        messages: messages so far.
        laps: how often it has begun again.
        ended: whether it is over; its markets are halted then.
        error: why, where a file could not be read to its end.
    """

    time_ns: int
    messages: int
    laps: int
    ended: bool
    error: str | None


# A private key that everybody knows, and its addresses.
_WALLET = "0x" + "0123456789" * 6 + "0123"
_ADDRESSES = {
    "hyperliquid": "0x14791697260e4c9a71f18484c9f997b308e59325",
    "dydx": "dydx1navfnxx0ywpgtdjevkkmk2k79lvr37jtmp8y6t",
}


def default_members(dialect: Dialect) -> tuple[Member, ...]:
    """The one member that a server has when none is named: by API key, or by a wallet's address."""
    address = _ADDRESSES.get(dialect)
    return (Member() if address is None else Member(key=address, secret=_WALLET),)


def members_for(dialect: Dialect, recording: Dataset) -> tuple[Member, ...]:
    """The one member of a server that plays a recording, with money in what it trades."""
    (member,) = default_members(dialect)
    held = {one.base: "100" for one in recording.instruments}
    held |= {"USDT": "1000000"} | {one.quote: "1000000" for one in recording.instruments}
    return (replace(member, spot=held, usdm=held),)


class VenueServer:
    """A venue that client libraries trade on: REST, streams and the WebSocket API, on loopback.

    It runs on native threads and never needs the interpreter lock. Use it as a context manager, or
    call `stop`.

    Args:
        dialect: whose protocol. `binance` is spot and USD-M futures on one port, `okx` and `bybit`
            are spot and linear perpetuals, `hyperliquid` and `dydx` perpetuals. On dYdX the number
            of a member's account is its place among the members, from 0.
        port: where to listen; 0 takes a free port.
        host: address to listen on. Whoever reaches it can trade.
        markets: markets of the order-flow generator, see `mainspring data sample`.
        seed: of the flow.
        speed: how fast the market runs against the clock; 0 leaves the books of generated markets
            to the members.
        recording: event files to play in place of generated flow, as a path, several, or a data
            set: `markets` and `seed` are not looked at then.
        repeat: whether the recording begins again at its end; otherwise its markets halt there.
        queue_model: how a recorded level that shrinks gives way before and behind members' orders,
            by the names of the simulated venue. A recording of orders needs none.
        warm_up_s: seconds of flow, or of the recording, before the market opens; a minute of flow
            and none of a recording when not given.
        members: members and their keys; one with the default key when not given. Over a recording
            it has a million of each currency that is paid and a hundred of each that is bought.
        limits: rate limits.
        faults: faults from the start; `set_faults` changes them.
        queue: messages that may wait for one connection before it is cut off.
        threads: of the server.

    Raises:
        InvalidValue: an argument cannot be.
        NotFoundError: a market is unknown, or a file is missing.
        DataError: a recording is damaged, of bars, or its files do not fit together.
        ConfigError: a recording has a contract or prices that the venue cannot list.
        StorageError: the address cannot be listened on, or a file cannot be read.
    """

    def __init__(
        self,
        dialect: Dialect = "binance",
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        markets: Sequence[str] = ("btcusdt", "ethusdt"),
        seed: int = 1,
        speed: float = 1.0,
        recording: PathArg | Sequence[PathArg] | Dataset | None = None,
        repeat: bool = False,
        queue_model: str = "prob_power3",
        warm_up_s: float | None = None,
        members: Sequence[Member] | None = None,
        limits: Limits | None = None,
        faults: Faults | None = None,
        queue: int = 4_096,
        threads: int = 2,
    ) -> None:
        from mainspring import _core

        known = get_args(Dialect)
        if dialect not in known:
            raise InvalidValue(f"dialect {dialect!r}: there are {', '.join(known)}")
        played = None if recording is None else _dataset_of(recording)
        if warm_up_s is None:
            warm_up_s = 60.0 if played is None else 0.0
        if members is None and played is not None:
            members = members_for(dialect, played)
        config: dict[str, Any] = {
            "dialect": dialect,
            "host": host,
            "port": port,
            "markets": list(markets),
            "seed": seed,
            "speed": speed,
            "recording": [] if played is None else [str(path) for path in played.paths],
            "repeat": repeat,
            "queue_model": queue_model,
            "warm_up_s": warm_up_s,
            "members": [asdict(member) for member in members or default_members(dialect)],
            "limits": asdict(limits or Limits()),
            "faults": asdict(faults or Faults()),
            "queue": queue,
            "threads": threads,
        }
        self._faults = faults or Faults()
        self._core = _core.VenueServer(json.dumps(config))

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._core.port

    @property
    def url(self) -> str:
        """Its address for REST, such as `http://127.0.0.1:8080`."""
        return f"http://{self._core.host}:{self._core.port}"

    @property
    def ws_url(self) -> str:
        """Its address for WebSockets."""
        return f"ws://{self._core.host}:{self._core.port}"

    @property
    def is_running(self) -> bool:
        """Whether it still serves."""
        return self._core.is_running

    @property
    def recording(self) -> RecordingState | None:
        """How far the recording is; None where the flow is generated."""
        told = self._core.recording
        return None if told is None else RecordingState(**json.loads(told))

    @property
    def faults(self) -> Faults:
        """The faults that were asked for last."""
        return self._faults

    def set_faults(self, faults: Faults | None = None, **changes: Any) -> None:
        """Sets all faults, or changes some of them: `set_faults(gap=0.01)`.

        Raises:
            InvalidValue: a value cannot be.
        """
        wanted = replace(faults or self._faults, **changes)
        self._core.set_faults(json.dumps(asdict(wanted)))
        self._faults = wanted

    def fail_next(self, fault: RequestFault, count: int = 1) -> None:
        """The next requests about orders (placing, changing, cancelling) suffer, by any way.

        Other requests go on, so that what is met by a fault does not depend on chance. Faults are
        planned one behind another; `planned_faults` tells how many requests are still to suffer.

        Raises:
            InvalidValue: there is no such fault.
        """
        self._core.plan_fault(json.dumps({"fault": fault, "count": count}))

    @property
    def planned_faults(self) -> int:
        """How many requests about orders are still to suffer by `fail_next`."""
        return int(self._core.planned_left)

    def forget_planned(self) -> None:
        """Forgets the faults of `fail_next` that nothing met yet."""
        self._core.plan_fault("null")

    def halt(self) -> None:
        """Halts all markets: orders are refused, and those that rest stay."""
        self._core.set_halted(True)

    def open(self) -> None:
        """Opens all markets again."""
        self._core.set_halted(False)

    def liquidate(self, key: str = "simulator-key") -> None:
        """Liquidates all that a member holds in perpetuals, whatever its margin.

        Raises:
            NotFoundError: there is no member with that key.
        """
        self._core.liquidate(key)

    def stop(self) -> None:
        """Closes all connections and stops serving."""
        self._core.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _dataset_of(recording: PathArg | Sequence[PathArg] | Dataset) -> Dataset:
    from mainspring.data.dataset import Dataset

    return recording if isinstance(recording, Dataset) else Dataset.open(recording)
