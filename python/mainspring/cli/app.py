"""One way to make the application of a verb, so that all look and behave alike."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

Flag = Annotated[bool, Parameter(show_default=False)]
"""A flag that is off unless it is given."""


def verb_app(verb: str, words: str = "", *, summary: str | None = None) -> App:
    """The cyclopts application of `verb`.

    Args:
        verb: as on the command line, with its subverb where it has one.
        words: what its usage line shows after the verb.
        summary: its help; that of its default function without it.
    """
    app = App(
        name=f"mainspring {verb}",
        help=summary,
        usage=f"Usage: mainspring {verb} {words} [OPTIONS]" if words else None,
        help_format="markdown",
        version_flags=[],
        default_parameter=Parameter(negative=""),
        suppress_keyboard_interrupt=False,  # `dispatch` says that it was interrupted
    )
    app["--help"].show = False
    return app
