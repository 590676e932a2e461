"""`mainspring journal`: check, print and export the journal of a session."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output, cell, table

if TYPE_CHECKING:
    from mainspring.journal import Gap, Record

app = verb_app("journal", summary="Check, print and export the journal of a session.")

Types = Annotated[list[str] | None, Parameter(name="--type", negative="")]


def _command(name: str, words: str) -> App:
    made = verb_app(f"journal {name}", words)
    app.command(made, name=name)
    return made


@_command("verify", "DIR").default
def verify(folder: Path, /, *, output: Output | None = None) -> int:
    """Check every byte: checksums, the chain of hashes, ends, seals, snapshots; changes nothing.

    Exits 8 when there is damage; each place is told with its file and offset. A journal that is
    being written is checked up to its last committed record.

    Parameters
    ----------
    folder
        The journal's folder.
    output
        Flags of every verb.
    """
    from mainspring import journal

    output = output or Output()
    found = journal.open(folder).verify()
    damage = [finding for finding in found["findings"] if finding["damage"]]
    output.result(found, lambda: _verification(folder, found, len(damage)))
    for finding in found["findings"]:
        if not output.json:
            output.warn(finding_text(finding))
    return Exit.MISMATCH if damage else Exit.OK


def finding_text(finding: Mapping[str, Any]) -> str:
    """A finding as one line: file, offset, what."""
    kind = "damage" if finding["damage"] else "note"
    return f"{kind}: {finding['file']}: offset {finding['offset']}: {finding['what']}"


def _verification(folder: Path, found: Mapping[str, Any], damage: int) -> Any:
    rows = [
        ("sound", cell(damage == 0)),
        ("damaged places", cell(damage)),
        ("records", cell(found["records"])),
        ("first to last", f"{found['first_sequence']} to {found['last_sequence']}"),
        ("segments", cell(found["segments"])),
        ("snapshots", cell(found["snapshots"])),
        ("bytes of records", cell(found["bytes"])),
        ("being written", cell(found["is_being_written"])),
        ("hash", found["hash"]),
    ]
    return table(str(folder), ("", ""), rows)


@_command("dump", "DIR").default
def dump(
    folder: Path,
    /,
    *,
    from_: Annotated[int | None, Parameter(name="--from")] = None,
    limit: int | None = None,
    types: Types = None,
    follow: Annotated[bool, Parameter(negative="")] = False,
    output: Output | None = None,
) -> int:
    """Print the records: sequence, logical time (UTC), type, the input it follows from, its fields.

    With `--json` each record is one JSON object on a line of its own.

    Parameters
    ----------
    folder
        The journal's folder.
    from_
        Sequence of the first record to print; the oldest without it.
    limit
        How many to print at most.
    types
        Only records of this type, such as `fill`; give it again for more types.
    follow
        Go on with what is written from now on, until interrupted.
    output
        Flags of every verb.
    """
    from mainspring import journal

    output = output or Output()
    opened = journal.open(folder)
    after = None if from_ is None else max(from_ - 1, 0)
    found = opened.tail(after, types=types) if follow else opened.records(after, types=types)
    for item in islice(found, limit):
        line = _json_line(item) if output.json else _line(item)
        if not output.quiet or output.json:
            sys.stdout.write(line + "\n")
            if follow:
                sys.stdout.flush()
    return Exit.OK


def _json_line(item: Record | Gap) -> str:
    from mainspring.journal import Gap

    if isinstance(item, Gap):
        return json.dumps({"type": "gap", **item._asdict()})
    return json.dumps(
        {
            "sequence": item.sequence,
            "time_ns": item.time_ns,
            "type": item.name,
            "cause": item.cause,
            "fields": item.fields,
        }
    )


def _line(item: Record | Gap) -> str:
    from mainspring.journal import Gap

    if isinstance(item, Gap):
        return f"-- records {item.expected} to {item.next - 1} are not there any more --"
    cause = "" if item.cause == item.sequence else f"<-{item.cause}"
    return (
        f"{item.sequence:>9} {time_text(item.time_ns)} {item.name:<14} {cause:<10} {_fields(item)}"
    )


def _fields(item: Record) -> str:
    fields = item.fields
    counts = {"instrument": "symbol", "price_ticks": "price", "qty_lots": "qty"}
    counts |= {"filled_lots": "filled", "position_lots": "position"}
    # Counts of ticks and lots are for programs where the same is there in units.
    shown = {name: value for name, value in fields.items() if counts.get(name) not in fields}
    return " ".join(f"{name}={_value(value)}" for name, value in shown.items())


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value if value and " " not in value else json.dumps(value)
    if isinstance(value, list):
        return "[" + ", ".join(_short(one) for one in value) + "]"
    return json.dumps(value)


def _short(one: Any) -> str:
    """One row of a market message, one level or one intent, in few words."""
    if not isinstance(one, Mapping):
        return json.dumps(one)
    words = [str(one[name]) for name in ("intent", "kind", "side") if name in one]
    price, qty = (one.get(unit, one.get(count)) for unit, count in _UNITS)
    if qty is not None:
        words.append(f"{qty}" if price is None else f"{qty} at {price}")
    words += [f"{name} {_value(one[name])}" for name in ("bids", "asks") if name in one]
    words += [f"{name} {one[name]}" for name in ("order_id", "at_ns") if name in one]
    return " ".join(words)


_UNITS = (("price", "price_ticks"), ("qty", "qty_lots"))


def time_text(time_ns: int) -> str:
    """A logical time in UTC, to the nanosecond."""
    from mainspring.data.times import from_ns

    return f"{from_ns(time_ns):%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9:09}Z"


@_command("export", "DIR FILE").default
def export(
    folder: Path,
    file: Path,
    /,
    *,
    types: Types = None,
    output: Output | None = None,
) -> int:
    """Write the records to a Parquet file, one row each: common fields as columns, all as JSON.

    Parameters
    ----------
    folder
        The journal's folder.
    file
        The Parquet file to write.
    types
        Only records of this type; give it again for more types.
    output
        Flags of every verb.
    """
    from mainspring import journal
    from mainspring.journal.export import to_parquet

    output = output or Output()
    opened = journal.open(folder)
    with output.progress("exporting", unit="records") as bar:
        rows = to_parquet(opened, file, types=types, progress=bar.update)
    output.result({"path": str(file), "rows": rows}, lambda: f"{rows:,} records in {file}")
    return Exit.OK
