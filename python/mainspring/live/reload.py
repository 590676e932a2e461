"""A changed configuration in a session that runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mainspring.config import Change, Config, Effect
from mainspring.errors import ConfigError

if TYPE_CHECKING:
    from mainspring.live.session import LiveSession

_LOOSENED = "loosened because: "

TAKEN = ("limits.", "parameters.", "execution.", "orders.")
"""Sections that a session takes up while it runs."""


class SessionReload:
    """Takes up what holds now, for `mainspring.config.Watcher`, each section as one command.

    Limits, parameters of the strategy, rules of execution and waits for answers go through the
    journal as commands; the engine checks them once more. The answer of each key says whether it
    holds from the next event on, was refused by the engine, or waits for a restart.
    """

    def __init__(self, session: LiveSession) -> None:
        self._session = session

    def apply(self, changes: Sequence[Change], config: Config) -> Sequence[Change]:
        """The answers as they turned out."""
        refused = {section: self._take_up(section, changes, config) for section in TAKEN}
        return [self._answer(one, refused) for one in changes]

    def _take_up(self, section: str, changes: Sequence[Change], config: Config) -> str | None:
        """Gives a section to the engine where it changed; why the engine refused it."""
        mine = [one for one in changes if _holds_now(one) and one.key.startswith(section)]
        if not mine:
            return None
        try:
            self._command(section, mine, config)
        except ConfigError as error:
            return str(error)
        return None

    def _command(self, section: str, changes: Sequence[Change], config: Config) -> None:
        if section == "limits.":
            reasons = [one.why for one in changes if one.why.startswith(_LOOSENED)]
            reason = reasons[0].removeprefix(_LOOSENED) if reasons else "tightened in the file"
            self._session.set_limits(config.limits.to_limits(), reason=reason)
        elif section == "parameters.":
            names = {one.key.removeprefix(section).partition(".")[0] for one in changes}
            gone = [name for name in names if name not in config.parameters]
            if gone:
                raise ConfigError(f"{gone[0]}: a default comes back when it is started anew")
            self._session.set_parameters({name: config.parameters[name] for name in sorted(names)})
        elif section == "execution.":
            self._session.set_execution(config.execution.rules())
        else:
            self._session.set_waits(config.orders.to_engine())

    def _answer(self, change: Change, refused: dict[str, str | None]) -> Change:
        if not _holds_now(change):
            return change
        section = next((one for one in TAKEN if change.key.startswith(one)), None)
        if section is None:
            why = "a session takes it up when it is started anew"
            return dataclasses.replace(change, effect=Effect.NEXT_START, why=why)
        why = refused[section] or ""
        return dataclasses.replace(change, effect=Effect.REFUSED, why=why) if why else change


def _holds_now(change: Change) -> bool:
    return change.effect is Effect.NOW
