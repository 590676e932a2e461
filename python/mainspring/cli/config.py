"""`mainspring config`: what is configured and by what, whether a file is right, and its schema."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from mainspring.cli.app import Flag, verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output, cell, table

if TYPE_CHECKING:
    from mainspring.config import Change, Loaded, Setting

app = verb_app("config", summary="Show the configuration, check a file, write its schema.")

Words = Annotated[list[str] | None, Parameter(name=("--set", "-e"))]


def _command(name: str, words: str = "") -> App:
    made = verb_app(f"config {name}", words)
    app.command(made, name=name)
    return made


@_command("show").default
def show(
    *,
    config: Path | None = None,
    words: Words = None,
    changed: Flag = False,
    output: Output | None = None,
) -> None:
    """Show every key, its value and where the value comes from; secrets are hidden.

    Parameters
    ----------
    config
        TOML or JSON; `mainspring.toml` or `mainspring.json` of this folder without it.
    words
        `key=value` over file and environment, such as `run.every=5ms`; again for several.
    changed
        Only what is not a default.
    output
        Flags of every verb.
    """
    from mainspring.config import load

    output = output or Output()
    loaded = load(config, words=words or ())
    settings = [
        one for one in loaded.settings() if not (changed and one.origin.source == "default")
    ]
    document = [
        {"key": one.key, "value": one.value, "origin": asdict(one.origin)} for one in settings
    ]
    output.result(document, lambda: _settings_table(settings))
    _tell_notes(loaded, output)


@_command("schema").default
def schema(*, output: Output | None = None) -> None:
    """Print the JSON schema of the configuration file, for editors and forms.

    Parameters
    ----------
    output
        Flags of every verb.
    """
    from mainspring.config import json_schema

    del output  # the schema is JSON in any case
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")


@_command("check", "[FILE]").default
def check(
    file: Path | None = None,
    /,
    *,
    words: Words = None,
    against: Path | None = None,
    reason: str | None = None,
    output: Output | None = None,
) -> int:
    """Check a configuration: every fault with its file, line and key.

    Exits 4 when something is wrong. With `--against` it says, key by key, what an engine that
    runs with that file would do with this one: take it up now, at its next start, or refuse it; a
    refusal exits 7.

    Parameters
    ----------
    file
        TOML or JSON; `mainspring.toml` or `mainspring.json` of this folder without it.
    words
        `key=value` over file and environment; again for several.
    against
        The file that an engine runs with.
    reason
        Why a limit may be loosened.
    output
        Flags of every verb.
    """
    from mainspring.config import Effect, load, plan

    output = output or Output()
    loaded = load(file, words=words or ())
    notes = [asdict(note) for note in loaded.notes]
    document: dict[str, Any] = {"file": _name(loaded), "ok": True, "notes": notes}
    if against is None:
        output.result(document, lambda: f"{_name(loaded)} is right")
        _tell_notes(loaded, output)
        return Exit.OK
    changes = plan(load(against, words=words or ()).config, loaded.config, reason=reason)
    document["changes"] = [asdict(change) for change in changes]
    output.result(document, lambda: _changes_table(changes))
    refused = any(change.effect is Effect.REFUSED for change in changes)
    return Exit.PARTIAL if refused else Exit.OK


def _name(loaded: Loaded) -> str:
    return str(loaded.file) if loaded.file else "the environment (there is no file)"


def _tell_notes(loaded: Loaded, output: Output) -> None:
    """What became of the keys of a component configuration, for people."""
    if output.json:
        return
    for note in loaded.notes:
        means = "sets" if note.target else "means nothing here:"
        output.note(f"{loaded.file}:{note.line}: {note.key} {means} {note.text}")


def _settings_table(settings: Sequence[Setting]) -> Any:
    rows = [(one.key, _value(one.value), str(one.origin)) for one in settings]
    return table("", ("key", "value", "origin"), rows)


def _changes_table(changes: Sequence[Change]) -> Any:
    if not changes:
        return "nothing differs"
    rows = [
        (one.key, _value(one.before), _value(one.after), one.effect.replace("_", " "), one.why)
        for one in changes
    ]
    return table("", ("key", "before", "after", "effect", "why"), rows)


def _value(value: Any) -> str:
    return json.dumps(value) if isinstance(value, (list, dict)) else cell(value)
