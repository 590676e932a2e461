"""From the words of the command line to a verb's function, and from its errors to an exit code."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

from mainspring.cli import VERBS
from mainspring.cli.exits import Exit, code_of
from mainspring.errors import MainspringError

if TYPE_CHECKING:
    from cyclopts import App


class UsageError(MainspringError):
    """The command line itself is wrong."""


def run_verb(tokens: list[str]) -> int:
    """Runs `tokens`, reports its error if it has one, and returns the exit code."""
    try:
        return int(_call(tokens) or Exit.OK)
    except BrokenPipeError:
        # The reader (`| head`) has gone: nothing to tell it; keep the last flush quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else Exit.ERROR
    except BaseException as error:
        return _report(error, tokens)


def load(verb: str) -> App:
    """The verb's cyclopts application; imports its module."""
    app: App = importlib.import_module(f"mainspring.cli.{VERBS[verb].module}").app
    return app


def _call(tokens: list[str]) -> int | None:
    from cyclopts import CycloptsError

    verb, *rest = tokens
    if verb not in VERBS:
        _unknown_verb(verb)
    app = load(verb)
    if "--help" in rest or "-h" in rest:
        _extend_help(verb, app, rest)
    try:
        code: int | None = app(
            rest, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        raise UsageError(f"{_one_line(error)} See `mainspring {verb} --help`.") from None
    return code


def _extend_help(verb: str, app: App, tokens: list[str]) -> None:
    """Lets a verb add to its help what depends on its arguments."""
    module = importlib.import_module(f"mainspring.cli.{VERBS[verb].module}")
    extend = getattr(module, "extend_help", None)
    if extend is not None:
        extend(app, tokens)


def _unknown_verb(verb: str) -> NoReturn:
    near = difflib.get_close_matches(verb, VERBS, n=1)
    hint = f"Did you mean `{near[0]}`?" if near else "See `mainspring --help`."
    raise UsageError(f"there is no verb {verb!r}. {hint}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _report(error: BaseException, tokens: list[str]) -> int:
    code = Exit.USAGE if isinstance(error, UsageError) else code_of(error)
    if "--debug" in tokens:
        traceback.print_exception(error)
    message = _message(error)
    if "--json" in tokens:
        what = {"kind": type(error).__name__, "message": message, "exit_code": int(code)}
        if faults := getattr(error, "faults", ()):
            what["faults"] = [dataclasses.asdict(fault) for fault in faults]
        sys.stdout.write(json.dumps({"error": what}) + "\n")
    else:
        sys.stderr.write(f"mainspring: {message}\n")
    return code


def _message(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, MainspringError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing_module(error.name)
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    text = _one_line(error) if isinstance(error, Exception) else str(error)
    return f"{type(error).__name__}: {text} (--debug shows where)"


# Module -> the extra that brings it; the same list is in pyproject.toml, and a test compares them.
EXTRA_OF = {
    "bokeh": "report",
    "polars": "data",
    "pyarrow": "data",
    "duckdb": "data",
    "numba": "compiled",
}


def _missing_module(module: str) -> str:
    package = module.partition(".")[0]
    if package == "mainspring":
        return (
            f"{module} is missing: build the extension with `make build`, or reinstall mainspring"
        )
    if package in EXTRA_OF:
        return f"{package} is not installed: pip install 'mainspring[{EXTRA_OF[package]}]'"
    return f"the Python module {module} is not installed"
