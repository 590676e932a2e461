"""Exit codes, and which error leaves with which."""

from __future__ import annotations

from enum import IntEnum

from mainspring import errors


class Exit(IntEnum):
    """The exit codes of every verb."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_RUNNING = 3
    CONFIG = 4
    TIMEOUT = 5
    RISK = 6
    PARTIAL = 7
    MISMATCH = 8
    INTERRUPTED = 130


# First match wins: what a class means to us comes before the built-in it also is.
_CODES: tuple[tuple[type[BaseException], Exit], ...] = (
    (errors.Interrupted, Exit.INTERRUPTED),
    (KeyboardInterrupt, Exit.INTERRUPTED),
    (errors.NotFoundError, Exit.USAGE),
    (errors.InvalidValue, Exit.USAGE),
    (errors.ConfigError, Exit.CONFIG),
    (errors.RiskError, Exit.RISK),
    (errors.MismatchError, Exit.MISMATCH),
    (errors.MainspringError, Exit.ERROR),
    (FileNotFoundError, Exit.USAGE),
    (TimeoutError, Exit.TIMEOUT),
)


def code_of(error: BaseException) -> Exit:
    """The exit code that stands for `error`; anything unforeseen is 1."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), Exit.ERROR)
