"""Market data: data sets, the catalog, imports, tables in and out, downloads, samples.

A data set is one or several event files (`.mse`): rows as the kernel reads them, mapped and never
copied, with instruments and origin inside. Everything here either makes one, judges one, or shows
its rows as columns.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainspring.data.catalog import Catalog as Catalog
    from mainspring.data.catalog import Entry as Entry
    from mainspring.data.checks import CheckReport as CheckReport
    from mainspring.data.checks import check as check
    from mainspring.data.checks import correct_clock as correct_clock
    from mainspring.data.convert import from_arrow as from_arrow
    from mainspring.data.convert import from_csv_bars as from_csv_bars
    from mainspring.data.convert import from_frame as from_frame
    from mainspring.data.convert import from_parquet as from_parquet
    from mainspring.data.convert import write_bars as write_bars
    from mainspring.data.dataset import Dataset as Dataset
    from mainspring.data.dataset import RowKind as RowKind
    from mainspring.data.dataset import open as open  # noqa: A004 - `ms.data.open`
    from mainspring.data.download import download as download
    from mainspring.data.home import data_home as data_home
    from mainspring.data.importers import detect_format as detect_format
    from mainspring.data.importers import export_hftbacktest as export_hftbacktest
    from mainspring.data.importers import formats as formats
    from mainspring.data.importers import import_file as import_file
    from mainspring.data.importers import import_report as import_report
    from mainspring.data.instruments import Instrument as Instrument
    from mainspring.data.instruments import instrument as instrument
    from mainspring.data.recording import Recorder as Recorder
    from mainspring.data.recording import Recording as Recording
    from mainspring.data.recording import record as record
    from mainspring.data.sample import sample as sample
    from mainspring.data.sample import sample_names as sample_names

# Public name -> "module:attribute", imported on first use.
_LAZY = {
    "Catalog": "catalog:Catalog",
    "CheckReport": "checks:CheckReport",
    "Dataset": "dataset:Dataset",
    "Entry": "catalog:Entry",
    "Instrument": "instruments:Instrument",
    "Recorder": "recording:Recorder",
    "Recording": "recording:Recording",
    "RowKind": "dataset:RowKind",
    "check": "checks:check",
    "correct_clock": "checks:correct_clock",
    "data_home": "home:data_home",
    "detect_format": "importers:detect_format",
    "download": "download:download",
    "export_hftbacktest": "importers:export_hftbacktest",
    "formats": "importers:formats",
    "from_arrow": "convert:from_arrow",
    "from_csv_bars": "convert:from_csv_bars",
    "from_frame": "convert:from_frame",
    "from_parquet": "convert:from_parquet",
    "import_file": "importers:import_file",
    "import_report": "importers:import_report",
    "instrument": "instruments:instrument",
    "open": "dataset:open",
    "record": "recording:record",
    "sample": "sample:sample",
    "sample_names": "sample:sample_names",
    "write_bars": "convert:write_bars",
}

__all__ = sorted(_LAZY)  # noqa: PLE0605 - the table is the list


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'mainspring.data' has no attribute {name!r}")
    module_name, _, attribute = _LAZY[name].partition(":")
    value = getattr(importlib.import_module(f"mainspring.data.{module_name}"), attribute)
    # A function and its module may share a name (`sample`, `download`): the function wins.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
