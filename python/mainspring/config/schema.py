"""The JSON schema of the configuration file, for editors and for forms."""

from __future__ import annotations

from typing import Any

from mainspring.config.reload import rules
from mainspring.config.sections import Config

FILE_NAME = "mainspring.toml"
SCHEMA_NAME = "mainspring.schema.json"


def json_schema() -> dict[str, Any]:
    """The schema; `x-reload` of a key says when a change takes effect in a running engine."""
    schema = Config.model_json_schema()
    schema["title"] = FILE_NAME
    for key, rule in rules().items():
        section, _, name = key.partition(".")
        where = schema["properties"].get(section)
        if where is None:
            continue  # credentials are not written into files
        table = schema["$defs"].get(where.get("$ref", "").rpartition("/")[2])
        (table["properties"][name] if table else where)["x-reload"] = str(rule)
    return schema
