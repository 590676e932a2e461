"""Writes the generated half of docs/reference/cli.md from the command line itself.

With `--check` it only tells whether the page is up to date (exit 1 when it is not).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from mainspring.cli import VERBS, dispatch
from mainspring.config import json_schema

PAGE = Path(__file__).resolve().parents[1] / "docs/reference/cli.md"
MARK = (
    "<!-- what follows is written by tools/cli_reference.py; `make docs` brings it up to date -->\n"
)


def main() -> int:
    """Writes or checks the page."""
    written, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    wanted = written + MARK + generated()
    if "--check" in sys.argv:
        return int(PAGE.read_text(encoding="utf-8") != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


def generated() -> str:
    """The configuration file and every verb, as Markdown."""
    return "\n".join([config_section(), *(verb_section(verb) for verb in VERBS)]).rstrip() + "\n"


def verb_section(verb: str) -> str:
    """One verb with its subcommands; the output flags, which all have, are left out."""
    text = dispatch.load(verb).generate_docs(heading_level=2, usage_name="mainspring")
    text = text.replace("```console", "```text").replace("<br>", " ")
    # Subverbs are named with their verb, which the usage line then has twice.
    text = re.sub(
        rf"^mainspring (\S+) {verb} \1\b", rf"mainspring {verb} \1", text, flags=re.MULTILINE
    )
    return re.sub(r"\*\*Output\*\*:\n\n(?:\* .*\n)+", "", text).rstrip() + "\n"


def config_section() -> str:
    """The keys of `mainspring.toml`, from its schema."""
    schema = json_schema()
    lines = ["", "## mainspring.toml", "", schema["description"], ""]
    lines += ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for table, where in schema["properties"].items():
        section = schema["$defs"].get(_section(where))
        keys = section["properties"] if section else {"*": where}
        lines += [_row(f"{table}.{key}", what) for key, what in keys.items()]
    return "\n".join(lines) + "\n"


def _section(where: dict[str, Any]) -> str:
    """The name of the section that a table is, also of one that may be left out."""
    there = [where, *where.get("anyOf", ())]
    return next((one["$ref"].rpartition("/")[2] for one in there if "$ref" in one), "")


def _row(key: str, what: dict[str, Any]) -> str:
    default = what.get("default")
    default = json.dumps(default).strip('"')
    shown = "" if default in ("null", "[]", "{}") else f"`{default}`"
    return f"| `{key}` | {_type(what)} | {shown} | {what.get('description', '')} |"


def _type(what: dict[str, Any]) -> str:
    if "enum" in what:
        return ", ".join(f"`{one}`" for one in what["enum"])
    if "anyOf" in what:
        return " or ".join(_type(one) for one in what["anyOf"] if one.get("type") != "null")
    if "pattern" in what:
        return "time with unit"
    return "table" if "$ref" in what else str(what.get("type", ""))


if __name__ == "__main__":
    raise SystemExit(main())
