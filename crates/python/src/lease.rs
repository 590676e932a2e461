//! Cancelling what a session left, from a process that watched its lease.

use std::path::PathBuf;
use std::time::Duration;

use mainspring_core::Result;
use mainspring_journal::live::Folder;
use mainspring_live::WallClock;
use mainspring_transport::ask;
use mainspring_transport::clear::clear;
use mainspring_transport::io::Io;
use mainspring_venues::session::{OnDisconnect, SessionSettings, VenueSession};
use mainspring_venues::table::open;
use pyo3::prelude::*;
use serde_json::json;

use crate::trade::{at_venue, Secrets, VenueText};

/// Cancels what bears the tag of a session at a venue, until the venue lists nothing of it or the time is
/// over. JSON: what was cancelled, what is left (null when the venue never said), orders of others that
/// stay, and what went wrong.
#[pyfunction]
pub fn clear_venue(
    py: Python<'_>,
    venue: &str,
    secrets: Secrets,
    timeout_s: f64,
) -> PyResult<String> {
    at_venue(py, venue, timeout_s, |text, patience| clear_at(text, &secrets, patience))
}

fn clear_at(text: &VenueText, secrets: &Secrets, patience: Duration) -> Result<String> {
    let mut venue = open(&text.name, &text.opening(secrets))?;
    let addresses = text.addresses(venue.as_ref())?;
    let mut io = Io::new(text.io(false)?, WallClock::new())?;
    let listed = ask::instruments(&mut io, venue.as_mut(), &addresses.rest)?;
    let listings = ask::choose(&listed, &text.name, &text.symbols)?;
    let settings = SessionSettings {
        // Nothing of the market is wanted, and nothing is to happen beside the cancels.
        streams: Vec::new(),
        on_disconnect: OnDisconnect::Keep,
        countdown_ms: 0,
        reserve_percent: 0,
        ..SessionSettings::new(addresses, text.tag, true)
    };
    let session = VenueSession::new(venue, listings, settings)?;
    let cleared = clear(text.io(false)?, Box::new(session), patience)?;
    let cancelled: Vec<u64> = cleared.cancelled.iter().map(|order| order.0).collect();
    let value = json!({
        "cancelled": cancelled,
        "left": cleared.left,
        "others": cleared.others,
        "notes": cleared.notes,
    });
    Ok(value.to_string())
}

/// Whether a process writes to a session's journal now.
#[pyfunction]
pub fn is_being_written(folder: PathBuf) -> bool {
    Folder::open(&folder).is_ok_and(|folder| folder.is_being_written())
}
