"""A changed configuration in a session that runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mainspring.config import Change, Config, Effect

if TYPE_CHECKING:
    from mainspring.live.session import LiveSession

_LOOSENED = "loosened because: "


class SessionReload:
    """Takes up what holds now, for `mainspring.config.Watcher`: of a session, its limits.

    Limits go through the journal as a command, with the reason where one is loosened; the engine
    checks them once more. Other keys hold when the session is started anew.
    """

    def __init__(self, session: LiveSession) -> None:
        self._session = session

    def apply(self, changes: Sequence[Change], config: Config) -> Sequence[Change]:
        """The answers as they turned out."""
        limits = [one for one in changes if _is_limit(one) and one.effect is Effect.NOW]
        if limits:
            reasons = [one.why for one in limits if one.why.startswith(_LOOSENED)]
            reason = reasons[0].removeprefix(_LOOSENED) if reasons else "tightened in the file"
            self._session.set_limits(config.limits.to_limits(), reason=reason)
        return [
            one if _is_limit(one) or one.effect is not Effect.NOW else _later(one)
            for one in changes
        ]


def _is_limit(change: Change) -> bool:
    return change.key.startswith("limits.")


def _later(change: Change) -> Change:
    why = "a session takes it up when it is started anew"
    return dataclasses.replace(change, effect=Effect.NEXT_START, why=why)
