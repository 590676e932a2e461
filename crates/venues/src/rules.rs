//! What a venue takes: order types, lives, batches, ids, budgets. One table per venue.

use mainspring_core::order::OrderTerms;
use mainspring_core::{Decimal, Lots, OrderFlags, OrderType, RejectReason, TimeInForce};

use crate::client_id::ClientIdForm;
use crate::listing::Listing;
use crate::operation::Asked;

/// Whether a venue has something, and what stands in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// The venue has it.
    Native,
    /// The codec or the session stands in for it, in this way.
    Emulated(&'static str),
    /// It is refused before it is sent, for this reason.
    Refused(&'static str),
}

impl Support {
    /// Whether it can be asked for.
    #[must_use]
    pub const fn is_there(self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

/// What an amend does at a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmendRule {
    /// Price and quantity change in place; the venue keeps the id.
    InPlace,
    /// The order is cancelled and another placed, in one request; it gets a new id.
    Replace {
        /// Whether less at the same price is changed in place all the same.
        shrinks_in_place: bool,
    },
}

impl AmendRule {
    /// Whether a change gives the order another id; `shrinks` says that only its quantity gets less.
    #[must_use]
    pub const fn replaces(self, shrinks: bool) -> bool {
        match self {
            Self::InPlace => false,
            Self::Replace { shrinks_in_place } => !(shrinks && shrinks_in_place),
        }
    }
}

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The weight of every request.
    Weight,
    /// New and changed orders.
    Orders,
    /// New and changed orders that a chain keeps in its state.
    Lasting,
    /// Requests of these kinds.
    Of(&'static [Asked]),
}

/// A budget of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// What is counted.
    pub name: &'static str,
    /// How much.
    pub limit: u32,
    /// In how many milliseconds.
    pub per_ms: u64,
    /// Whether any span of that length counts, instead of those that begin at its multiples.
    pub slides: bool,
    /// The header that tells what is used or left of it; empty where none does.
    pub header: &'static str,
    /// Whether the header tells what is left instead of what is used.
    pub header_is_left: bool,
    /// What is counted of a request.
    pub counts: Counted,
}

/// What a venue takes.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How each order type is served, in the order of [`OrderType`].
    pub order_types: [Support; 8],
    /// How each life is served, in the order of [`TimeInForce`].
    pub lives: [Support; 4],
    /// Post-only.
    pub post_only: Support,
    /// Reduce-only.
    pub reduce_only: Support,
    /// What an amend does.
    pub amend: AmendRule,
    /// Most new orders in one request; 1 where there are no batches.
    pub max_place_batch: usize,
    /// Most cancels in one request; 1 where there are no batches.
    pub max_cancel_batch: usize,
    /// Cancel of all orders of an instrument in one request.
    pub cancel_all: Support,
    /// The venue's own countdown that cancels when we fall silent.
    pub countdown: Support,
    /// Least timeout of the countdown in ms.
    pub min_countdown_ms: u64,
    /// How client ids are written.
    pub client_ids: ClientIdForm,
    /// Budgets.
    pub budgets: &'static [Budget],
}

impl Rules {
    /// How an order type is served.
    #[must_use]
    pub const fn order_type(&self, order_type: OrderType) -> Support {
        self.order_types[order_type as usize]
    }

    /// How a life is served.
    #[must_use]
    pub const fn life(&self, time_in_force: TimeInForce) -> Support {
        self.lives[time_in_force as usize]
    }

    /// Checks an order against what the venue and the instrument take, so that nothing is sent that
    /// must come back refused.
    ///
    /// # Errors
    /// Names the first rule it breaks.
    pub fn check(&self, listing: &Listing, terms: &OrderTerms) -> Result<(), Broken> {
        let served = [
            self.order_type(terms.order_type),
            self.life(terms.time_in_force),
            if terms.flags.has(OrderFlags::POST_ONLY) { self.post_only } else { Support::Native },
            if terms.flags.has(OrderFlags::REDUCE_ONLY) {
                self.reduce_only
            } else {
                Support::Native
            },
        ];
        if let Some(why) = served.iter().find_map(|support| match support {
            Support::Refused(why) => Some(*why),
            _ => None,
        }) {
            return Err(Broken { reason: None, why });
        }
        check_listing(listing, terms)
    }
}

/// A rule that an order breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The venue's reason, where there is a common one.
    pub reason: Option<RejectReason>,
    /// Why, for people.
    pub why: &'static str,
}

fn check_listing(listing: &Listing, terms: &OrderTerms) -> Result<(), Broken> {
    let broken = |reason, why| Err(Broken { reason: Some(reason), why });
    let instrument = &listing.instrument;
    if !listing.trading {
        return broken(RejectReason::Halted, "the venue takes no orders in this instrument now");
    }
    if terms.qty < instrument.min_qty || terms.qty.0 <= 0 {
        return broken(RejectReason::BadQuantity, "the quantity is under the venue's least");
    }
    if instrument.max_qty > Lots::ZERO && terms.qty > instrument.max_qty {
        return broken(RejectReason::BadQuantity, "the quantity is over the venue's most");
    }
    if !has_limit_price(terms.order_type) {
        return Ok(());
    }
    if terms.price.0 <= 0 || !instrument.grid().is_valid(terms.price) {
        return broken(RejectReason::PriceOffGrid, "the price is off the venue's grid");
    }
    // What reduces a position may be small at every venue that has both rules.
    let reduces = terms.flags.has(OrderFlags::REDUCE_ONLY);
    if !reduces && is_under_min_notional(listing, terms) {
        return broken(RejectReason::BelowMinNotional, "the value is under the venue's least");
    }
    Ok(())
}

/// Whether an order of this type has a limit price.
#[must_use]
pub const fn has_limit_price(order_type: OrderType) -> bool {
    matches!(order_type, OrderType::Limit | OrderType::StopLimit | OrderType::Iceberg)
}

fn is_under_min_notional(listing: &Listing, terms: &OrderTerms) -> bool {
    let instrument = &listing.instrument;
    if instrument.min_notional == Decimal::ZERO {
        return false;
    }
    let (tick, lot) = (instrument.tick(), instrument.lot);
    let units = i128::from(terms.price.0) * i128::from(tick.mantissa());
    let qty = i128::from(terms.qty.0) * i128::from(lot.mantissa());
    let multiplier = i128::from(instrument.multiplier.mantissa());
    let scale = tick.scale() + lot.scale() + instrument.multiplier.scale();
    let value = match instrument.kind.is_inverse() {
        true => qty.checked_mul(multiplier),
        false => units.checked_mul(qty).and_then(|value| value.checked_mul(multiplier)),
    };
    let scale = if instrument.kind.is_inverse() { scale - tick.scale() } else { scale };
    match (value, instrument.min_notional.to_scale(scale.max(instrument.min_notional.scale()))) {
        (Some(value), Some(least)) => {
            let up = scale.max(instrument.min_notional.scale()) - scale;
            value.checked_mul(10_i128.pow(u32::from(up))).is_some_and(|value| value < least)
        }
        _ => false,
    }
}

/// The venue has it.
pub const NATIVE: Support = Support::Native;
