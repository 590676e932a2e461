"""The configuration: one schema, read from a file, the environment and the command line.

`load` gives a checked configuration that knows where each value comes from; `plan` says what a
changed one does to an engine that runs.
"""

from __future__ import annotations

from mainspring.config.faults import ConfigFaults, Fault
from mainspring.config.loading import Loaded, Origin, Setting, load, load_config
from mainspring.config.reload import Change, Effect, Engine, Watcher, plan, running
from mainspring.config.schema import FILE_NAME, SCHEMA_NAME, json_schema
from mainspring.config.section import Reload
from mainspring.config.sections import Config
from mainspring.config.strategy_params import Note

__all__ = [
    "FILE_NAME",
    "SCHEMA_NAME",
    "Change",
    "Config",
    "ConfigFaults",
    "Effect",
    "Engine",
    "Fault",
    "Loaded",
    "Note",
    "Origin",
    "Reload",
    "Setting",
    "Watcher",
    "json_schema",
    "load",
    "load_config",
    "plan",
    "running",
]
