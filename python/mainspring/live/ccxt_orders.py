"""Orders of ours by ccxt: placed, cancelled, changed and found again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mainspring.live.ccxt_abilities import trigger_of
from mainspring.live.ccxt_access import Access
from mainspring.live.ccxt_words import (
    Ids,
    Words,
    failure_words,
    id_text,
    names_of,
    order_words,
    our_id,
    refusal_words,
)

# A fill may be told before the order it is of: so long its name is waited for.
_NAMING_S = 2.0
_REMEMBERED = 16_384
_ENDED_LISTS = ("fetchOrders", "fetchClosedOrders", "fetchCanceledOrders")
_ENDED = ("canceled", "closed", "expired")
# What ccxt wants to be told: that only the newest orders are looked at.
_FETCH_PARAMS: dict[str, Words] = {"bybit": {"acknowledged": True}}


class OrderNotFound(Exception):  # noqa: N818
    """Named as ccxt names it: an order that cannot be cancelled because it is not there."""


class NotThere(Exception):  # noqa: N818
    """The venue does not know an order."""


class Orders:
    """What is asked of orders, and which of the venue's are ours.

    Args:
        access: The venue.
        ids: How our order ids are written.
        can: What ccxt can do there.
    """

    def __init__(self, access: Access, ids: Ids, can: Mapping[str, Any]) -> None:
        self._access, self._client, self._ids, self._can = access, access.client, ids, can
        self._names = _Names(_REMEMBERED)
        self._placing: dict[str, asyncio.Event] = {}

    def words(self, order: Mapping[str, Any], **known: Any) -> Words:
        """An order in the engine's words; remembers which id is whose."""
        if "client" not in known:
            text = order.get("clientOrderId") or ""
            known["client"] = our_id(text, self._ids) or self._names.of(order["id"]) or ""
        # Short answers name the symbol as the venue does, or not at all.
        one = self._access.instruments[known.get("symbol") or order["symbol"]]
        words = order_words(order, one, **known)
        if words.get("id"):
            self._names.note(words["id"], words.get("client", ""))
        return words

    async def name_of(self, symbol: str, trade: Mapping[str, Any]) -> str:
        """Our id of the order that traded; empty where it is another's."""
        venue_id = trade.get("order") or ""
        until = time.monotonic() + _NAMING_S
        while (name := self._names.of(venue_id)) is None and self._placing:
            if time.monotonic() > until:
                break
            await asyncio.sleep(0.01)
        if name is None and venue_id and self._access.has("fetchOrder"):
            # Where it cannot be asked for, the comparison with the account names it later.
            with contextlib.suppress(Exception):
                self.words(await self._fetch(venue_id, symbol))
            name = self._names.of(venue_id)
        return name or ""

    # Requests

    async def place(self, ask: Words) -> Words:
        """Places an order."""
        order = self._to_ccxt(ask)
        with self._being_placed([ask["client"]]):
            placed = await self._client.create_order(*order.values())
            return {"orders": [self.words(placed, symbol=ask["symbol"], client=ask["client"])]}

    async def place_many(self, ask: Words) -> Words:
        """Places several in one request; what the answer does not say of one is not known."""
        wanted: list[Words] = ask["orders"]
        with self._being_placed([one["client"] for one in wanted]):
            placed = await self._client.create_orders([self._to_ccxt(one) for one in wanted])
            found = self._by_client(wanted, placed or [])
            told: list[Words] = []
            failures: list[Words] = []
            for at, one in enumerate(wanted):
                order = found.get(one["client"])
                if order is not None and order.get("status") == "rejected":
                    failures.append({"at": at, **refusal_words(order, self._access.hidden)})
                elif order is not None and order.get("id"):
                    told.append(self.words(order, symbol=one["symbol"], client=one["client"]))
                else:
                    failures.append({"at": at, **_unnamed()})
            return {"orders": told, "failures": failures}

    def _by_client(
        self, wanted: Sequence[Words], answered: Sequence[Mapping[str, Any]]
    ) -> dict[str, Mapping[str, Any]]:
        """Answers by our ids; one that has none is of the only order that is left."""
        names = {one["client"] for one in wanted}
        found = {our_id(one.get("clientOrderId") or "", self._ids): one for one in answered}
        found = {name: one for name, one in found.items() if name in names}
        left = names - found.keys()
        nameless = [one for one in answered if not one.get("clientOrderId")]
        if len(left) == 1 and len(nameless) == 1 and len(answered) == len(wanted):
            found[left.pop()] = nameless[0]
        return found

    def _to_ccxt(self, ask: Words) -> Words:
        """The arguments of `create_order`, in their order."""
        params: Words = {"clientOrderId": id_text(ask["client"], self._ids)}
        if ask["type"] == "limit" and ask["life"] != "GTC":
            params["timeInForce"] = ask["life"]
        for flag, word in (("post_only", "postOnly"), ("reduce_only", "reduceOnly")):
            if ask[flag]:
                params[word] = True
        if ask["waits_for"] is not None:
            params.update(self._trigger(ask))
        return {
            "symbol": ask["symbol"],
            "type": ask["type"],
            "side": ask["side"],
            "amount": float(ask["qty"]),
            "price": None if ask["price"] is None else float(ask["price"]),
            "params": params,
        }

    def _trigger(self, ask: Words) -> Words:
        price, stops = float(ask["trigger"]), ask["waits_for"] == "stop"
        if trigger_of(self._client.id, self._can["positions"]) == "by_kind":
            return {"stopLossPrice" if stops else "takeProfitPrice": price}
        up = (ask["side"] == "buy") == stops
        return {"triggerPrice": price, "triggerDirection": "ascending" if up else "descending"}

    @contextlib.contextmanager
    def _being_placed(self, clients: Sequence[str]) -> Iterator[None]:
        done = asyncio.Event()
        self._placing.update(dict.fromkeys(clients, done))
        try:
            yield
        finally:
            for client in clients:
                del self._placing[client]
            done.set()

    async def cancel(self, ask: Words) -> Words:
        """Cancels an order."""
        order = await self._client.cancel_order(await self._venue_id(ask), ask["symbol"])
        # What it says of an order that it did not end yet is told when it has.
        ended = isinstance(order, dict) and order.get("status") in _ENDED
        return {"orders": [self.words(order, symbol=ask["symbol"])] if ended else []}

    async def cancel_many(self, ask: Words) -> Words:
        """Cancels several of one instrument; what the answer does not say of one is not known."""
        wanted: list[Words] = ask["orders"]
        symbol, ids, failures = wanted[0]["symbol"], {}, []
        for at, one in enumerate(wanted):
            try:
                ids[await self._venue_id(one)] = at
            except OrderNotFound as error:
                failures.append({"at": at, **failure_words(error, self._access.hidden)})
        if not ids:
            return {"orders": [], "failures": failures}
        answered = await self._client.cancel_orders(list(ids), symbol)
        found = {one.get("id"): one for one in answered or [] if isinstance(one, Mapping)}
        told: list[Words] = []
        for venue_id, at in ids.items():
            order = found.get(venue_id)
            if order is None or order.get("status") == "rejected":
                failures.append({"at": at, **_unnamed()})
            elif order.get("status") in _ENDED:
                told.append(self.words(order, symbol=symbol))
        return {"orders": told, "failures": failures}

    async def cancel_all(self, ask: Words) -> Words:
        """Cancels everything in an instrument."""
        await self._client.cancel_all_orders(ask["symbol"])
        return {}

    async def countdown(self, ask: Words) -> Words:
        """Has the venue cancel everything of the account unless it is told again in time."""
        await self._client.cancel_all_orders_after(int(ask["timeout_ms"]))
        return {}

    async def amend(self, ask: Words) -> Words:
        """Changes an order."""
        venue_id, client = await self._venue_id(ask), ask.get("client", "")
        price, qty = float(ask["price"]), float(ask["qty"])
        params: Words = {"postOnly": True} if ask["post_only"] else {}
        replaced = self._can["amends"] == "replaced"
        if replaced:
            params["clientOrderId"] = id_text(ask["new_client"], self._ids)
        order = await self._client.edit_order(
            venue_id, ask["symbol"], "limit", ask["side"], qty, price, params
        )
        known: Words = {"symbol": ask["symbol"], "side": ask["side"]}
        if replaced:
            return {"orders": [self.words(order, client=ask["new_client"], **known)]}
        known.update(id=venue_id, client=client, status="amended", price=ask["price"])
        return {"orders": [self.words(order, qty=ask["qty"], **known)]}

    async def query(self, ask: Words) -> Words:
        """What became of an order."""
        client = ask.get("client", "")
        await self._placed(client)
        venue_id = ask.get("id") or self._names.id_of(client)
        try:
            found = await self.find(ask["symbol"], client, venue_id)
        except NotThere:
            return {"orders": []}
        return {"orders": [self.words(found)]}

    async def open_orders(self, ask: Words) -> Words:
        """What is open."""
        symbols = [ask["symbol"]] if ask["symbol"] else self._access.symbols
        orders = [await self._client.fetch_open_orders(symbol) for symbol in symbols]
        return {"orders": [self.words(one) for some in orders for one in some]}

    # Orders by our id

    async def _placed(self, client: str) -> None:
        """An order whose placing is on its way cannot be asked about yet."""
        if (placing := self._placing.get(client)) is not None:
            await placing.wait()

    async def _venue_id(self, ask: Words) -> str:
        """The venue's id of an order."""
        if "id" in ask:
            return str(ask["id"])
        await self._placed(ask["client"])
        known = self._names.id_of(ask["client"])
        if known:
            return known
        try:
            return str((await self.find(ask["symbol"], ask["client"], ""))["id"])
        except NotThere:
            raise OrderNotFound("the venue lists no order with our id") from None

    async def _fetch(self, venue_id: str, symbol: str) -> Mapping[str, Any]:
        params = _FETCH_PARAMS.get(self._access.exchange, {})
        found: Mapping[str, Any] = await self._client.fetch_order(venue_id, symbol, params)
        return found

    async def find(self, symbol: str, client: str, venue_id: str) -> Mapping[str, Any]:
        """An order by the venue's id, or by ours among those that are open and that have ended.

        Raises:
            NotThere: The venue does not know it.
        """
        if venue_id and self._access.has("fetchOrder"):
            try:
                return await self._fetch(venue_id, symbol)
            except Exception as error:
                names = names_of(error)
                if "OrderNotFound" in names:
                    raise NotThere from None
                # Some clients want their lists to be asked instead.
                if not names & {"ArgumentsRequired", "NotSupported"}:
                    raise
        asked = 0
        for name in ("fetchOpenOrders", *_ENDED_LISTS):
            if not self._access.has(name):
                continue
            asked += name != "fetchOpenOrders"
            for order in await self._listed(name, symbol):
                theirs = our_id(order.get("clientOrderId") or "", self._ids)
                if (client and theirs == client) or (venue_id and order.get("id") == venue_id):
                    return order
        if not asked:
            raise LookupError("ccxt cannot list this venue's orders that have ended")
        raise NotThere

    async def _listed(self, name: str, symbol: str) -> Sequence[Mapping[str, Any]]:
        ask = {
            "fetchOpenOrders": self._client.fetch_open_orders,
            "fetchOrders": getattr(self._client, "fetch_orders", None),
            "fetchClosedOrders": getattr(self._client, "fetch_closed_orders", None),
            "fetchCanceledOrders": getattr(self._client, "fetch_canceled_orders", None),
        }[name]
        listed: Sequence[Mapping[str, Any]] = await ask(symbol) if ask is not None else []
        return listed


def _unnamed() -> Words:
    return {"class": "unknown", "code": "", "message": "the answer does not say what became of it"}


class _Names:
    """Which order of the venue is which of ours; the oldest are forgotten first."""

    def __init__(self, remembered: int) -> None:
        self._remembered = remembered
        self._by_id: dict[str, str] = {}
        self._by_name: dict[str, str] = {}

    def note(self, venue_id: str, name: str) -> None:
        """An order by both; an empty name is of an order that is not ours."""
        if not name and venue_id in self._by_id:
            return
        self._by_id[venue_id] = name
        if name:
            self._by_name[name] = venue_id
        for known in (self._by_id, self._by_name):
            while len(known) > self._remembered:
                del known[next(iter(known))]

    def of(self, venue_id: str) -> str | None:
        """Our id of an order; None where it was never heard of."""
        return self._by_id.get(venue_id)

    def id_of(self, name: str) -> str:
        """The venue's id of an order of ours; empty where it is not known."""
        return self._by_name.get(name, "")
