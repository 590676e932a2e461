"""The Python face of the venue codecs."""

import json

import pytest
from mainspring.errors import ConfigError, DataError, InvalidValue, NotFoundError, RiskError
from mainspring.venues import Codec, venues

EXCHANGE_INFO = json.dumps(
    {
        "symbols": [
            {
                "symbol": "BTCUSDT",
                "status": "TRADING",
                "contractType": "PERPETUAL",
                "baseAsset": "BTC",
                "quoteAsset": "USDT",
                "filters": [
                    {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
                    {
                        "filterType": "LOT_SIZE",
                        "stepSize": "0.001",
                        "minQty": "0.001",
                        "maxQty": "1000",
                    },
                    {"filterType": "MIN_NOTIONAL", "notional": "100"},
                ],
            }
        ]
    }
)
ORDER = {"kind": "place", "symbol": "BTCUSDT", "side": "buy", "price": "25000", "qty": "0.01"}


@pytest.fixture
def codec():
    codec = Codec("binance_usdm", key="TESTAPIKEY0123456789", secret="TESTSECRET9876543210")
    codec.load_instruments(EXCHANGE_INFO)
    return codec


def test_every_venue_opens_and_says_what_it_takes():
    assert len(venues()) >= 11
    for name in venues():
        facts = Codec(name).facts
        assert facts["order_types"]["limit"]["served"] == "native", name
        assert facts["endpoints"]["rest"].startswith("https://")
        assert facts["budgets"]


def test_an_order_is_signed_as_the_venue_wants_it(codec):
    request = codec.encode({**ORDER, "client": "myid123"}, now_ms=1_700_000_000_000)
    assert (request.method, request.target) == ("POST", "/fapi/v1/order")
    assert request.body.startswith("timestamp=1700000000000&symbol=BTCUSDT&side=BUY&")
    assert dict(request.headers)["X-MBX-APIKEY"] == "TESTAPIKEY0123456789"
    assert "signature" not in repr(request)
    assert "TESTAPIKEY" not in repr(request)


def test_secrets_do_not_show(codec):
    assert "TESTSECRET" not in repr(codec)
    assert "TESTSECRET" not in repr(vars(codec))


def test_what_must_come_back_refused_is_not_sent(codec):
    with pytest.raises(RiskError, match="value is under"):
        codec.encode({**ORDER, "qty": "0.001"}, now_ms=1)
    with pytest.raises(InvalidValue, match="off the tick"):
        codec.encode({**ORDER, "price": "25000.05"}, now_ms=1)
    with pytest.raises(RiskError, match="trails"):
        codec.encode({**ORDER, "order_type": "trailing_stop"}, now_ms=1)
    with pytest.raises(NotFoundError, match="ETHUSDT"):
        codec.encode({**ORDER, "symbol": "ETHUSDT"}, now_ms=1)


def test_what_must_be_signed_needs_a_key():
    codec = Codec("binance_usdm")
    codec.load_instruments(EXCHANGE_INFO)
    with pytest.raises(ConfigError, match="API key"):
        codec.encode(ORDER, now_ms=1)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"code": -5022, "msg": "Post Only order will be rejected."}, "refused"),
        (429, {"code": -1003, "msg": "Too many requests."}, "rate_limited"),
        (401, {"code": -2015, "msg": "Invalid API-key."}, "authentication"),
        (408, {"code": -1007, "msg": "Timeout waiting for response."}, "unknown"),
    ],
)
def test_failures_are_of_a_few_kinds(codec, status, body, kind):
    codec.encode(ORDER, now_ms=1)
    answer = codec.answer(status, json.dumps(body), {"Retry-After": "7"})
    assert answer.failure is not None
    assert answer.failure.kind == kind
    assert answer.failure.code == str(body["code"])
    if kind == "rate_limited":
        assert answer.failure.wait_ms == 7_000


def test_an_answer_that_cannot_be_read_leaves_the_outcome_unknown(codec):
    codec.encode(ORDER, now_ms=1)
    assert codec.answer(200, "<html>").failure.kind == "unknown"


def test_market_messages_become_events_and_rows(codec):
    message = (
        '{"e":"bookTicker","u":7,"s":"BTCUSDT","b":"61800.20","B":"2.507","a":"61800.30",'
        '"A":"2.510","T":1723161256313,"E":1723161256313}'
    )
    [event] = codec.market(message)
    assert event["bid"] == ["61800.2", "2.507"]
    rows = codec.rows(message, 1)
    assert [row[3:5] for row in rows] == [(618_002, 2_507), (618_003, 2_510)]
    with pytest.raises(DataError, match="grid"):
        codec.rows(message.replace("61800.20", "61800.25"), 1)


def test_a_fill_comes_before_the_state_it_leads_to(codec):
    update = {
        "e": "ORDER_TRADE_UPDATE",
        "E": 1568879465651,
        "T": 1568879465650,
        "o": {
            "s": "BTCUSDT", "c": "mine", "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "0.010",
            "p": "9910", "x": "TRADE", "X": "PARTIALLY_FILLED", "i": 8886774, "l": "0.002",
            "z": "0.002", "L": "9910", "N": "USDT", "n": "0.01", "T": 1568879465650, "t": 5,
            "m": True,
        },
    }  # fmt: skip
    fill, order = codec.user(json.dumps(update))
    assert (fill["kind"], fill["qty"], fill["maker"]) == ("fill", "0.002", True)
    assert (order["kind"], order["status"]) == ("order", "PartiallyFilled")
    update["o"]["X"] = "SOMETHING_NEW"
    with pytest.raises(DataError, match="not known"):
        codec.user(json.dumps(update))
