//! The extension module `mainspring._core`: conversion, errors, and the Python and numba hosts.

pub mod arrow;
pub mod bench;
pub mod codec_bench;
pub mod compiled;
pub mod data;
pub mod errors;
pub mod exchange;
pub mod execution;
pub mod features;
pub mod feeds;
pub mod flow;
pub mod follower;
pub mod host;
pub mod import;
pub mod journal;
pub mod lease;
pub mod live;
pub mod models;
pub mod order_bench;
pub mod orders;
pub mod parity;
pub mod records;
mod relay;
pub mod risk;
pub mod run;
pub mod simulation;
pub mod table;
pub mod trade;
pub mod transport;
pub mod vault;
pub mod venues;
pub mod verify;
pub mod view;
mod wishes;

use pyo3::prelude::*;

/// The compiled half of Mainspring.
#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::bench::{
        time_book_updates, time_journal_appends, time_recovery, write_bench_journal,
    };
    #[pymodule_export]
    use crate::codec_bench::time_codec;
    #[pymodule_export]
    use crate::compiled::{compiled_layout, PyCompiledStrategy};
    #[pymodule_export]
    use crate::data::{
        check_event_file, correct_clock, instrument_json, scan_event_file, write_event_file,
        PyEventFile,
    };
    #[pymodule_export]
    use crate::exchange::{load_venue, time_matching, venue_defaults, PyExchange, PyVenueServer};
    #[pymodule_export]
    use crate::execution::models::{
        almgren_chriss, front_loaded, impact_bps, implementation_shortfall, participation_lots,
        slice_lots, volume_by_bin, PyShortfall,
    };
    #[pymodule_export]
    use crate::execution::parent::PyParent;
    #[pymodule_export]
    use crate::execution::routes::{route_levels, time_routes, PyRoute, PyRoutePart};
    #[pymodule_export]
    use crate::features::{
        book_levels, bulk_volume_classification, compute_features, ewma_variance, fit_microprice,
        garch_filter, garch_fit, kyle_lambda, range_variance, realized_measures, roll_spread,
        spread_components, vpin, PyParticleFilter,
    };
    #[pymodule_export]
    use crate::flow::{flow_markets, flow_version, generate_flow};
    #[pymodule_export]
    use crate::follower::PyJournalFollower;
    #[pymodule_export]
    use crate::import::{detect_format, export_hftbacktest, import_file, import_formats};
    #[pymodule_export]
    use crate::journal::{
        journal_kinds, journal_recover, journal_sources, journal_state, journal_verify,
        PyJournalReader, PyJournalWriter,
    };
    #[pymodule_export]
    use crate::lease::{clear_venue, is_being_written};
    #[pymodule_export]
    use crate::live::{rerun_session, start_paper, time_event_to_order, PyLiveSession};
    #[pymodule_export]
    use crate::models::{avellaneda_stoikov, glft_coefficients};
    #[pymodule_export]
    use crate::order_bench::{time_bytes_to_order, time_signing};
    #[pymodule_export]
    use crate::orders::{order_names, PyBar, PyFill, PyOrder, PyTrade};
    #[pymodule_export]
    use crate::parity::{parity_session, session_model_fills};
    #[pymodule_export]
    use crate::records::log_records;
    #[pymodule_export]
    use crate::relay::PyVenueRelay;
    #[pymodule_export]
    use crate::risk::time_gate_checks;
    #[pymodule_export]
    use crate::run::{
        file_facts, file_instruments, flow_instruments, order_codes, read_run_log, run_backtest,
        PyRunLog,
    };
    #[pymodule_export]
    use crate::simulation::{simulate, simulate_journal};
    #[pymodule_export]
    use crate::table::PyTable;
    #[pymodule_export]
    use crate::trade::{check_venue, start_live};
    #[pymodule_export]
    use crate::transport::PyFeedRecorder;
    #[pymodule_export]
    use crate::vault::{seal, unseal};
    #[pymodule_export]
    use crate::venues::{signatures_by_thread, venue_names, PyVenueCodec};
    #[pymodule_export]
    use crate::verify::{first_difference, mid_changes};
    #[pymodule_export]
    use crate::view::{PyFeatures, PyMarket};

    /// The version of the extension.
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        Ok(())
    }
}
