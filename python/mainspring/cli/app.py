"""One way to make the application of a verb, so that all look and behave alike."""

from __future__ import annotations

from cyclopts import App, Parameter


def verb_app(verb: str, summary: str, words: str = "") -> App:
    """The cyclopts application of `verb`; `words` is what its usage line shows after the verb."""
    app = App(
        name=f"mainspring {verb}",
        help=summary,
        usage=f"Usage: mainspring {verb} {words} [OPTIONS]" if words else None,
        help_format="markdown",
        version_flags=[],
        default_parameter=Parameter(negative=""),
    )
    app["--help"].show = False
    return app
