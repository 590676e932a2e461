//! Event files, catalog, importers, Arrow export.
