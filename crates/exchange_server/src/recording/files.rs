//! The files of a recording, and how a venue lists what is in them.

use std::sync::Arc;

use mainspring_core::{Error, ErrorKind, Instrument, InstrumentId, InstrumentKind, Lots, Result};
use mainspring_data::{merge_instruments, EventFile, Schema};

use crate::dialects::Listing;
use crate::section::Product;

/// Most lots of one order where the file does not say.
const MOST_LOTS: Lots = Lots(1_000_000_000_000);

/// Event files that are played together.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The files, open and verified.
    pub files: Vec<Arc<EventFile>>,
    /// What is in them, each instrument once.
    pub instruments: Vec<Instrument>,
    /// By file: the instrument of each of the file's.
    pub maps: Vec<Vec<InstrumentId>>,
    /// By instrument: whether its rows are orders.
    pub by_order: Vec<bool>,
}

impl Recording {
    /// Opens files and reads them through once, so that none is found damaged while members trade.
    ///
    /// # Errors
    /// When a file is missing, damaged or of bars, when two of them do not fit together, or there are
    /// none.
    pub fn open(paths: &[String]) -> Result<Self> {
        let files = paths.iter().map(EventFile::open).collect::<Result<Vec<_>>>()?;
        for file in &files {
            if file.schema() == Schema::Bar {
                return Err(Error::new(
                    ErrorKind::Data,
                    format!(
                        "{}: bars have no order book to trade in; give levels or orders",
                        file.path().display()
                    ),
                ));
            }
            file.verify()?;
        }
        let (instruments, maps) = merge_instruments(&files)?;
        let mut by_order: Vec<Option<bool>> = vec![None; instruments.len()];
        for (file, map) in files.iter().zip(&maps) {
            let orders = file.schema() == Schema::Order;
            for id in map {
                if by_order[id.index()].replace(orders).is_some_and(|known| known != orders) {
                    let symbol = &instruments[id.index()].symbol;
                    return Err(Error::new(
                        ErrorKind::Data,
                        format!("{symbol}: there are orders and levels of it; give one of both"),
                    ));
                }
            }
        }
        let by_order = by_order.into_iter().map(|orders| orders == Some(true)).collect();
        Ok(Self { files: files.into_iter().map(Arc::new).collect(), instruments, maps, by_order })
    }

    /// What a product of a venue lists of it: the recording's number of each instrument, and how the
    /// venue has it.
    ///
    /// # Errors
    /// When a contract is of a sort that is not served, two would have one name, or a price has no
    /// place on the venue's grid.
    pub fn listed(
        &self,
        product: Product,
        listing: &Listing,
    ) -> Result<Vec<(InstrumentId, Instrument)>> {
        let mut all: Vec<(InstrumentId, Instrument)> = Vec::new();
        for (id, instrument) in (0_u16..).zip(&self.instruments) {
            if product_of(instrument, listing)? != product {
                continue;
            }
            let one = listed(instrument, product, listing)?;
            if all.iter().any(|(_, other)| other.symbol == one.symbol) {
                let what = format!("two instruments of the recording would be {}", one.symbol);
                return Err(Error::new(ErrorKind::Config, what));
            }
            all.push((InstrumentId(id), one));
        }
        Ok(all)
    }
}

/// Where a venue trades an instrument: where it was recorded, or, on venues without spot, among the
/// perpetuals.
fn product_of(instrument: &Instrument, listing: &Listing) -> Result<Product> {
    if instrument.kind.is_inverse() {
        return Err(Error::new(
            ErrorKind::Config,
            format!(
                "{}: inverse contracts are not served: accounts of served venues settle in the quote; \
                 run a backtest or a paper session on the recording",
                instrument.symbol
            ),
        ));
    }
    if instrument.kind == InstrumentKind::Spot && listing.products.contains(&Product::Spot) {
        return Ok(Product::Spot);
    }
    Ok(Product::Usdm)
}

fn listed(instrument: &Instrument, product: Product, listing: &Listing) -> Result<Instrument> {
    let mut one = instrument.clone();
    if product == Product::Usdm {
        one.kind = InstrumentKind::LinearPerpetual;
    }
    one.min_qty = one.min_qty.max(Lots(1));
    if one.max_qty.0 <= 0 {
        one.max_qty = MOST_LOTS;
    }
    (listing.rules)(&mut one)?;
    one.symbol = (listing.name)(product, &one);
    one.validate()?;
    Ok(one)
}
