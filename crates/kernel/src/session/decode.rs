//! Records as named fields: for people, tables and Python.

use mainspring_core::decimal::format_scaled;
use mainspring_core::event::{flags, MarketRow, OrderRow, RowKind};
use mainspring_core::money::MONEY_DECIMALS;
use mainspring_core::order::{OrderFlags, OrderTerms};
use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, Lots, Money, Result, Ticks, VenueEventKind,
};
use mainspring_journal::{EquityRecord, FillRecord, OrderRecord, PositionRecord, Wide};
use mainspring_trading::orders::{OrderState, Purpose};
use serde::Serialize;

use crate::intent::{Intent, Intents};
use crate::reasons::reason_name;

use super::record::{
    self, AdoptedRecord, AnswerRecord, ForeignRecord, Kind, LinkRecord, ListHead, MarketHead,
    NewOrder, OpenOrderRecord, PositionEntry, QueryRecord, Raw, ReportRecord, Step,
};
use super::Answer;

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing to say.
    None,
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Int(i64),
    /// An id.
    Id(u64),
    /// A word, or an exact decimal number.
    Text(String),
    /// Several things alike.
    List(Vec<Fields>),
    /// What the record holds as JSON.
    Json(serde_json::Value),
}

/// Stands for a name where the members of a JSON object are fields themselves.
pub const MERGED: &str = "";

/// Named values, in order.
pub type Fields = Vec<(&'static str, Value)>;

/// The fields of a record. Prices and quantities are told in ticks and lots, and as exact decimal text
/// where the record says which instrument it is about and `instruments` has it; money is decimal text
/// in units of its currency.
///
/// # Errors
/// When the payload is not one of its kind.
pub fn decode(raw: &Raw<'_>, instruments: &[Instrument]) -> Result<Fields> {
    let kind = Kind::from_code(raw.kind).ok_or_else(|| {
        Error::new(
            ErrorKind::Mismatch,
            format!("record {}: kind {} was written by a newer build", raw.sequence, raw.kind),
        )
    })?;
    let names = Names { instruments };
    let done = match kind {
        Kind::Start | Kind::Resume | Kind::Command | Kind::Event => json(raw.payload),
        Kind::Market => names.market(raw.payload),
        Kind::Orders | Kind::Published => names.order_rows(raw.payload),
        Kind::Report => report(&record::read(raw.payload)?),
        Kind::Clock => Ok(vec![]),
        Kind::Wishes | Kind::Intents => names.intents(raw.payload),
        Kind::Named => {
            let named: record::NamedRecord = record::read(raw.payload)?;
            Ok(vec![
                ("order_id", Value::Id(named.order)),
                ("venue_order", Value::Id(named.venue_order)),
                ("venue_index", Value::Int(named.venue.into())),
            ])
        }
        Kind::Adopted => names.adopted(&record::read(raw.payload)?),
        Kind::Foreign => names.foreign(&record::read(raw.payload)?),
        Kind::Link => Ok(link(&record::read(raw.payload)?)),
        Kind::Answer => answer(&record::read(raw.payload)?),
        Kind::OpenOrders => names.open_orders(raw.payload),
        Kind::Positions => names.positions(raw.payload),
        Kind::Stop => Ok(vec![("cancel", Value::Flag(raw.payload.first() == Some(&1)))]),
        Kind::NewOrder => names.new_order(&record::read(raw.payload)?),
        Kind::Step => step(&record::read(raw.payload)?),
        Kind::Order => Ok(names.order(&record::read(raw.payload)?)),
        Kind::Fill => Ok(names.fill(&record::read(raw.payload)?)),
        Kind::Equity => Ok(equity(&record::read(raw.payload)?)),
        Kind::Position => Ok(names.position(&record::read(raw.payload)?)),
        Kind::Notice => Ok(vec![("text", text(String::from_utf8_lossy(raw.payload)))]),
        Kind::Funding | Kind::Mark => Ok(names.mark(kind, &record::read(raw.payload)?)),
        Kind::Query => Ok(names.query(&record::read(raw.payload)?)),
        Kind::StrategyState => strategy_state(raw.payload),
    };
    done.map_err(|e| e.at(format_args!("journal record {}", raw.sequence)))
}

/// What makes numbers of ticks and lots readable.
struct Names<'a> {
    instruments: &'a [Instrument],
}

impl Names<'_> {
    fn instrument(&self, index: u16, into: &mut Fields) {
        into.push(("instrument", Value::Int(index.into())));
        if let Some(instrument) = self.instruments.get(usize::from(index)) {
            into.push(("symbol", text(&instrument.symbol)));
            into.push(("venue", text(&instrument.venue)));
        }
    }

    fn units(&self, index: u16) -> Option<(Decimal, Decimal)> {
        let instrument = self.instruments.get(usize::from(index))?;
        instrument.grids.first().map(|grid| (grid.tick, instrument.lot))
    }

    /// Price and quantity in both units. `priced` is false where an order type has no price.
    fn price_and_qty(&self, index: u16, price: Option<i64>, qty: i64, into: &mut Fields) {
        let units = self.units(index);
        if let (Some((tick, _)), Some(price)) = (units, price) {
            into.push(("price", text(tick.times(price))));
        }
        if let Some((_, lot)) = units {
            into.push(("qty", text(lot.times(qty))));
        }
        into.extend(price.map(|price| ("price_ticks", Value::Int(price))));
        into.push(("qty_lots", Value::Int(qty)));
    }

    fn market(&self, payload: &[u8]) -> Result<Fields> {
        let (head, rows): (MarketHead, Vec<MarketRow>) = record::read_list(payload)?;
        let mut fields = vec![];
        self.instrument(head.instrument, &mut fields);
        let rows = rows.iter().map(|row| self.row(head.instrument, head.base_ticks, row));
        fields.push(("rows", Value::List(rows.collect())));
        Ok(fields)
    }

    fn order_rows(&self, payload: &[u8]) -> Result<Fields> {
        let (head, rows): (MarketHead, Vec<OrderRow>) = record::read_list(payload)?;
        let mut fields = vec![];
        self.instrument(head.instrument, &mut fields);
        let rows = rows.iter().map(|row| {
            let mut fields = self.row(head.instrument, head.base_ticks, &row.market);
            fields.push(("book_order", Value::Id(row.order_id)));
            fields
        });
        fields.push(("rows", Value::List(rows.collect())));
        Ok(fields)
    }

    fn row(&self, instrument: u16, base: i64, row: &MarketRow) -> Fields {
        let side = if row.flags & flags::ASK == 0 { "bid" } else { "ask" };
        let mut fields = vec![
            ("kind", text(row_name(row.kind))),
            ("side", text(side)),
            ("exch_ns", Value::Int(row.exch_ns)),
            ("recv_ns", Value::Int(row.recv_ns)),
            ("snapshot", Value::Flag(row.flags & flags::SNAPSHOT != 0)),
            ("end", Value::Flag(row.ends_message())),
        ];
        self.price_and_qty(instrument, Some(row.price(Ticks(base)).0), row.qty_lots, &mut fields);
        fields
    }

    fn intents(&self, payload: &[u8]) -> Result<Fields> {
        let mut intents = Intents::default();
        let head = record::decode_intents(payload, &mut intents)?;
        let list = intents.as_slice().iter().map(|intent| self.intent(intent, &intents));
        Ok(vec![
            ("strategy", Value::Int(head.strategy.into())),
            ("decided", Value::Id(head.decided)),
            ("intents", Value::List(list.collect())),
        ])
    }

    fn intent(&self, intent: &Intent, all: &Intents) -> Fields {
        let mut fields = vec![];
        match *intent {
            Intent::Quote { instrument, first, bids, asks, flags } => {
                fields.push(("intent", text("quote")));
                self.instrument(instrument.0, &mut fields);
                let (bids, asks) = all.levels(first, bids, asks);
                for (name, levels) in [("bids", bids), ("asks", asks)] {
                    let levels = levels.iter().map(|level| {
                        let mut fields = vec![];
                        let (price, qty) = (level.price.0, level.qty.0);
                        self.price_and_qty(instrument.0, Some(price), qty, &mut fields);
                        fields
                    });
                    fields.push((name, Value::List(levels.collect())));
                }
                order_flags(flags, &mut fields);
            }
            Intent::Target { instrument, position, price } => {
                fields.push(("intent", text("target")));
                self.instrument(instrument.0, &mut fields);
                let price = price.map(|price| price.0);
                self.price_and_qty(instrument.0, price, position.0, &mut fields);
            }
            Intent::Place { id, terms } => {
                fields.push(("intent", text("place")));
                fields.push(("order_id", Value::Id(id.0)));
                self.terms(&terms, &mut fields);
            }
            Intent::Cancel(id) => {
                fields.push(("intent", text("cancel")));
                fields.push(("order_id", Value::Id(id.0)));
            }
            Intent::CancelAll(instrument) => {
                fields.push(("intent", text("cancel_all")));
                self.instrument(instrument.0, &mut fields);
            }
            Intent::Amend { id, price, qty } => {
                fields.push(("intent", text("amend")));
                fields.push(("order_id", Value::Id(id.0)));
                price_ticks_and_lots(price, qty, &mut fields);
            }
            Intent::Stop { instrument, rule } => {
                fields.push(("intent", text(if rule.is_some() { "stop" } else { "remove_stops" })));
                self.instrument(instrument.0, &mut fields);
                let rule = rule.and_then(|rule| serde_json::to_value(rule).ok());
                fields.extend(rule.map(|rule| ("rule", Value::Json(rule))));
            }
            Intent::Timer { at_ns, tag } => {
                fields.push(("intent", text("timer")));
                fields.push(("at_ns", Value::Int(at_ns)));
                fields.push(("tag", Value::Int(tag)));
            }
            Intent::Execute { id, terms } => {
                fields.push(("intent", text("execute")));
                fields.push(("parent_id", Value::Id(id.0.into())));
                let Some(terms) = all.parents().get(usize::from(terms)) else { return fields };
                self.instrument(terms.instrument.0, &mut fields);
                fields.push(("algorithm", text(terms.kind.name())));
                fields.push(("side", word(&terms.side)));
                let price = terms.limit.map(|price| price.0);
                self.price_and_qty(terms.instrument.0, price, terms.qty.0, &mut fields);
                fields.push(("duration_ns", Value::Int(terms.duration_ns)));
            }
            Intent::Control { id, control } => {
                fields.push(("intent", text(control.name())));
                fields.push(("parent_id", Value::Id(id.0.into())));
            }
        }
        fields
    }

    fn terms(&self, terms: &OrderTerms, fields: &mut Fields) {
        self.instrument(terms.instrument.0, fields);
        fields.push(("side", word(&terms.side)));
        fields.push(("order_type", word(&terms.order_type)));
        fields.push(("time_in_force", word(&terms.time_in_force)));
        self.price_and_qty(terms.instrument.0, Some(terms.price.0), terms.qty.0, fields);
        order_flags(terms.flags, fields);
        // What most orders do not have is told only of those that do.
        let rare = [
            ("trigger_ticks", terms.trigger.0),
            ("offset_ticks", terms.offset.0),
            ("display_lots", terms.display.0),
            ("expire_ns", terms.expire_ns),
        ];
        fields.extend(
            rare.into_iter().filter(|(_, n)| *n != 0).map(|(name, n)| (name, Value::Int(n))),
        );
        if terms.oco.0 != 0 {
            fields.push(("oco", Value::Id(terms.oco.0)));
        }
    }

    fn new_order(&self, record: &NewOrder) -> Result<Fields> {
        let order = record.order(0)?;
        let purpose = match order.purpose {
            Purpose::Explicit => "explicit",
            Purpose::Quote => "quote",
            Purpose::Target => "target",
            Purpose::Child => "child",
            Purpose::Adopted => "adopted",
        };
        let mut fields = vec![
            ("order_id", Value::Id(order.id.0)),
            ("strategy", Value::Int(order.strategy.into())),
            ("purpose", text(purpose)),
        ];
        if record.parent != 0 {
            fields.push(("parent_id", Value::Id(record.parent.into())));
        }
        self.terms(&order.terms, &mut fields);
        Ok(fields)
    }

    fn adopted(&self, record: &AdoptedRecord) -> Result<Fields> {
        let mut fields = vec![
            ("order_id", Value::Id(record.id)),
            ("venue_order", Value::Id(record.venue_order)),
            ("strategy", Value::Int(record.strategy.into())),
        ];
        self.terms(&record.terms.terms()?, &mut fields);
        fields.push(("filled_lots", Value::Int(record.filled)));
        Ok(fields)
    }

    fn foreign(&self, record: &ForeignRecord) -> Result<Fields> {
        let mut fields = vec![
            ("venue_order", Value::Id(record.venue_order)),
            ("side", side(if record.side == 0 { 1 } else { -1 })),
        ];
        self.instrument(record.instrument, &mut fields);
        let said = report(&record.report)?;
        fields.extend(said.into_iter().filter(|(name, _)| *name != "order_id"));
        Ok(fields)
    }

    fn order(&self, record: &OrderRecord) -> Fields {
        let state = OrderState::ALL.iter().find(|state| **state as u8 == record.state);
        let mut fields = vec![
            ("order_id", Value::Id(record.order_id)),
            ("strategy", Value::Int(record.strategy.into())),
            ("state", state.map_or(Value::Int(record.state.into()), |s| text(s.name()))),
            ("reason", reason(record.reason)),
            ("side", side(record.side)),
        ];
        self.instrument(record.instrument, &mut fields);
        self.price_and_qty(
            record.instrument,
            Some(record.price_ticks),
            record.qty_lots,
            &mut fields,
        );
        if let Some((_, lot)) = self.units(record.instrument) {
            fields.push(("filled", text(lot.times(record.filled_lots))));
        }
        fields.push(("filled_lots", Value::Int(record.filled_lots)));
        fields
    }

    fn fill(&self, record: &FillRecord) -> Fields {
        let mut fields = vec![
            ("order_id", Value::Id(record.order_id)),
            ("strategy", Value::Int(record.strategy.into())),
            ("side", side(record.side)),
            ("maker", Value::Flag(record.maker != 0)),
            ("exch_ns", Value::Int(record.exch_ns)),
        ];
        self.instrument(record.instrument, &mut fields);
        self.price_and_qty(
            record.instrument,
            Some(record.price_ticks),
            record.qty_lots,
            &mut fields,
        );
        fields.push(("fee", money(record.fee)));
        fields.push(("realised", money(record.realised)));
        fields.push(("position_lots", Value::Int(record.position_lots)));
        let mid2 = (record.mid2_ticks != i64::MIN).then_some(Value::Int(record.mid2_ticks));
        fields.push(("mid2_ticks", mid2.unwrap_or(Value::None)));
        fields
    }

    fn position(&self, record: &PositionRecord) -> Fields {
        let mut fields = vec![("strategy", Value::Int(record.strategy.into()))];
        self.instrument(record.instrument, &mut fields);
        if let Some((_, lot)) = self.units(record.instrument) {
            fields.push(("position", text(lot.times(record.position_lots))));
        }
        let (bid, ask) = (record.bid_ticks, record.ask_ticks);
        let best = |ticks: i64, there: bool| if there { Value::Int(ticks) } else { Value::None };
        fields.extend([
            ("position_lots", Value::Int(record.position_lots)),
            ("bid_ticks", best(bid, bid != i64::MIN)),
            ("ask_ticks", best(ask, ask != i64::MAX)),
            ("realised", money(record.realised)),
            ("unrealised", money(record.unrealised)),
            ("fees", money(record.fees)),
            ("funding", money(record.funding)),
        ]);
        fields
    }

    fn open_orders(&self, payload: &[u8]) -> Result<Fields> {
        let (head, entries): (ListHead, Vec<OpenOrderRecord>) = record::read_list(payload)?;
        let orders = entries.iter().map(|entry| self.open_order(entry)).collect::<Result<_>>()?;
        let mut fields = list_head(&head);
        fields.push(("orders", Value::List(orders)));
        Ok(fields)
    }

    fn open_order(&self, entry: &OpenOrderRecord) -> Result<Fields> {
        let open = entry.open_order()?;
        let mut fields = vec![
            ("order_id", Value::Id(open.order.0)),
            ("venue_order", Value::Id(open.venue_order)),
            ("side", word(&open.side)),
        ];
        self.instrument(open.instrument.0, &mut fields);
        self.price_and_qty(open.instrument.0, Some(open.price.0), open.qty.0, &mut fields);
        fields.push(("filled_lots", Value::Int(open.filled.0)));
        Ok(fields)
    }

    fn positions(&self, payload: &[u8]) -> Result<Fields> {
        let (head, entries): (ListHead, Vec<PositionEntry>) = record::read_list(payload)?;
        let positions = entries.iter().map(|entry| {
            let mut fields = vec![];
            self.instrument(entry.instrument, &mut fields);
            self.price_and_qty(entry.instrument, None, entry.lots, &mut fields);
            fields
        });
        let mut fields = list_head(&head);
        fields.push(("positions", Value::List(positions.collect())));
        Ok(fields)
    }

    fn mark(&self, kind: Kind, record: &record::Mark) -> Fields {
        let mut fields = vec![];
        self.instrument(record.instrument, &mut fields);
        // A mark is a price in units of 10^-9 tick.
        let nanoticks = Money::from(record.nanoticks).0;
        if let Some((tick, _)) = self.units(record.instrument) {
            let exact = nanoticks.checked_mul(i128::from(tick.mantissa()));
            let price = exact.map(|exact| format_scaled(exact, tick.scale() + 9));
            fields.push(("price", price.map_or(Value::None, text)));
        }
        fields.push(("price_ticks", text(format_scaled(nanoticks, 9))));
        if kind == Kind::Funding {
            fields.push(("rate", text(format_scaled(record.rate.into(), 9))));
        }
        fields
    }

    fn query(&self, record: &QueryRecord) -> Fields {
        let mut fields = vec![("venue_index", Value::Int(record.venue.into()))];
        if record.order == 0 {
            fields.push(("about", text("account")));
        } else {
            fields.push(("about", text("order")));
            fields.push(("order_id", Value::Id(record.order)));
            self.instrument(record.instrument, &mut fields);
        }
        fields.push(("attempt", Value::Int(record.attempt.into())));
        fields
    }
}

fn report(record: &ReportRecord) -> Result<Fields> {
    let report = record.report()?;
    let event = report.event;
    let (name, detail): (_, Fields) = match event.kind {
        VenueEventKind::Accepted => ("accepted", vec![]),
        VenueEventKind::Rejected(reason) => ("rejected", vec![("reason", word(&reason))]),
        VenueEventKind::Filled { price, qty, maker } => {
            let mut fields = vec![("maker", Value::Flag(maker))];
            price_ticks_and_lots(price, qty, &mut fields);
            ("filled", fields)
        }
        VenueEventKind::Cancelled(reason) => ("cancelled", vec![("reason", word(&reason))]),
        VenueEventKind::CancelRejected(reason) => {
            ("cancel_rejected", vec![("reason", word(&reason))])
        }
        VenueEventKind::Amended { price, qty } => {
            let mut fields = vec![];
            price_ticks_and_lots(price, qty, &mut fields);
            ("amended", fields)
        }
        VenueEventKind::AmendRejected(reason) => {
            ("amend_rejected", vec![("reason", word(&reason))])
        }
        VenueEventKind::Triggered => ("triggered", vec![]),
    };
    let mut fields = vec![
        ("order_id", Value::Id(event.order.0)),
        ("report", text(name)),
        ("exch_ns", Value::Int(event.exch_ns)),
        ("recv_ns", Value::Int(event.recv_ns)),
    ];
    fields.extend(detail);
    if report.trade_id != 0 {
        fields.push(("trade_id", Value::Id(report.trade_id)));
    }
    fields.extend(report.fee.map(|fee| ("fee", money(fee.into()))));
    fields.extend(report.filled.map(|filled| ("total_filled_lots", Value::Int(filled.0))));
    Ok(fields)
}

fn answer(record: &AnswerRecord) -> Result<Fields> {
    let answer = record.answer()?;
    let name = match answer {
        Answer::NotFound => "not_found",
        Answer::Working { .. } => "working",
        Answer::Cancelled { .. } => "cancelled",
        Answer::Expired { .. } => "expired",
        Answer::Rejected => "rejected",
        Answer::Filled { .. } => "filled",
    };
    Ok(vec![
        ("order_id", Value::Id(record.order)),
        ("answer", text(name)),
        ("filled_lots", Value::Int(answer.filled().0)),
    ])
}

fn link(record: &LinkRecord) -> Fields {
    vec![("venue_index", Value::Int(record.venue.into())), ("up", Value::Flag(record.up != 0))]
}

fn step(record: &Step) -> Result<Fields> {
    use mainspring_trading::orders::OrderEvent as E;
    let event = record.event()?;
    let name = match event {
        E::RiskRefused => "risk_refused",
        E::Submit => "submit",
        E::CancelRequested => "cancel_requested",
        E::ReplaceRequested { .. } => "replace_requested",
        E::Timeout => "timeout",
        E::NotFound => "not_found",
        _ => "confirmed",
    };
    let mut fields = vec![("order_id", Value::Id(record.order)), ("step", text(name))];
    if let E::ReplaceRequested { price, qty } = event {
        price_ticks_and_lots(price, qty, &mut fields);
    }
    Ok(fields)
}

fn equity(record: &EquityRecord) -> Fields {
    vec![
        ("equity", money(record.equity)),
        ("realised", money(record.realised)),
        ("unrealised", money(record.unrealised)),
        ("fees", money(record.fees)),
        ("funding", money(record.funding)),
    ]
}

fn strategy_state(payload: &[u8]) -> Result<Fields> {
    let Some((index, state)) = payload.split_first_chunk::<2>() else {
        return Err(Error::new(ErrorKind::Mismatch, "the state of no strategy"));
    };
    let state = match serde_json::from_slice(state) {
        Ok(json) => Value::Json(json),
        Err(_) => text(mainspring_journal::live::hex(state)),
    };
    Ok(vec![("strategy", Value::Int(u16::from_le_bytes(*index).into())), ("state", state)])
}

fn json(payload: &[u8]) -> Result<Fields> {
    if payload.is_empty() {
        return Ok(vec![]);
    }
    let value = serde_json::from_slice(payload)
        .map_err(|e| Error::new(ErrorKind::Mismatch, format!("cannot be read as JSON: {e}")))?;
    Ok(vec![(MERGED, Value::Json(value))])
}

fn list_head(head: &ListHead) -> Fields {
    vec![("venue_index", Value::Int(head.venue.into())), ("as_of_ns", Value::Int(head.as_of_ns))]
}

fn order_flags(flags: OrderFlags, fields: &mut Fields) {
    fields.push(("post_only", Value::Flag(flags.has(OrderFlags::POST_ONLY))));
    fields.push(("reduce_only", Value::Flag(flags.has(OrderFlags::REDUCE_ONLY))));
}

fn price_ticks_and_lots(price: Ticks, qty: Lots, fields: &mut Fields) {
    fields.push(("price_ticks", Value::Int(price.0)));
    fields.push(("qty_lots", Value::Int(qty.0)));
}

fn text(what: impl Into<String>) -> Value {
    Value::Text(what.into())
}

/// The word that a value is written as in configurations.
fn word<T: Serialize>(value: &T) -> Value {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => Value::Text(name),
        Ok(other) => Value::Json(other),
        Err(_) => Value::None,
    }
}

fn money(amount: Wide) -> Value {
    text(format_scaled(Money::from(amount).0, MONEY_DECIMALS))
}

fn side(sign: i8) -> Value {
    text(if sign < 0 { "sell" } else { "buy" })
}

/// The reason of an order record.
fn reason(code: u8) -> Value {
    match reason_name(code) {
        _ if code == 0 => Value::None,
        Some(name) => text(name),
        None => text(format!("reason_{code}")),
    }
}

fn row_name(kind: u8) -> &'static str {
    match RowKind::from_byte(kind) {
        Some(RowKind::Depth) => "depth",
        Some(RowKind::Trade) => "trade",
        Some(RowKind::Best) => "best",
        Some(RowKind::Clear) => "clear",
        Some(RowKind::Gap) => "gap",
        Some(RowKind::Mark) => "mark",
        Some(RowKind::Funding) => "funding",
        Some(RowKind::Status) => "status",
        Some(RowKind::Grid) => "grid",
        Some(RowKind::OrderAdd) => "order_add",
        Some(RowKind::OrderModify) => "order_modify",
        Some(RowKind::OrderDelete) => "order_delete",
        Some(RowKind::OrderExecute) => "order_execute",
        None => "unknown",
    }
}

impl Value {
    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::None => serde_json::Value::Null,
            Self::Flag(flag) => (*flag).into(),
            Self::Int(number) => (*number).into(),
            Self::Id(id) => (*id).into(),
            Self::Text(text) => text.as_str().into(),
            Self::List(list) => list.iter().map(fields_to_json).collect(),
            Self::Json(value) => value.clone(),
        }
    }
}

/// Fields as a JSON object.
#[must_use]
pub fn fields_to_json(fields: &Fields) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    for (name, value) in fields {
        match value {
            Value::Json(serde_json::Value::Object(members)) if *name == MERGED => {
                object.extend(members.clone());
            }
            value => {
                let name = if *name == MERGED { "content" } else { name };
                object.insert(name.to_owned(), value.to_json());
            }
        }
    }
    serde_json::Value::Object(object)
}
