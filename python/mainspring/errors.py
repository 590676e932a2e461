"""What can go wrong, as typed exceptions. Each message says what, where and how to fix it.

The kinds are those of the engine; the extension raises the same classes. Where a built-in exception
says the same, a class is one of those too, so that `except ValueError` keeps working.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainspring.backtesting.run import Run


class MainspringError(Exception):
    """Base of every error that Mainspring raises on purpose."""


class InvalidValue(MainspringError, ValueError):  # noqa: N818 - the engine's name for it
    """A value that cannot be used: not a number, out of range, off the grid."""


class DataError(MainspringError):
    """A file or an input stream that is not what it claims to be."""


class StorageError(MainspringError, OSError):
    """A file that cannot be read or written, or a disk that is full."""


class ConfigError(MainspringError):
    """A configuration that does not fit together, or a missing credential."""


class StrategyError(MainspringError):
    """A strategy that failed or asked for something impossible; names the user's file and line.

    After a run, `run` has the results until then.
    """

    run: Run | None = None


class RiskError(MainspringError):
    """An order or a setting refused by risk."""


class MismatchError(MainspringError):
    """A stored run that does not match what a re-run gives; names the first difference."""


class NotFoundError(MainspringError, LookupError):
    """A name that is not known: an instrument, a data set, a run, a file."""


class CapacityError(MainspringError):
    """A bounded structure is full."""


class Interrupted(MainspringError):  # noqa: N818 - a request, not a fault
    """The person asked to stop; after a run, `run` has the results until then."""

    run: Run | None = None


class StaleView(StrategyError):  # noqa: N818 - says what the view is
    """A market view was used after its callback; copy values that are needed later."""


class InternalError(MainspringError):
    """A broken promise inside the engine; please report it."""
