//! The extension module `mainspring._core`: conversion, errors, and the Python and numba hosts.

use pyo3::prelude::*;

/// The compiled half of Mainspring.
#[pymodule]
mod _core {
    use pyo3::prelude::*;

    /// The version of the extension.
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        Ok(())
    }
}
