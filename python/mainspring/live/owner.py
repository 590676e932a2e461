"""Who owns orders that were not placed by a session and are adopted by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.strategy.base import Strategy
from mainspring.strategy.native import Account, Native

ACCOUNT = Account.kind


def with_owner(
    strategies: Sequence[Strategy | Native], orders: Mapping[str, Any] | None
) -> list[Strategy | Native]:
    """The strategies of a session, with the account behind them where it owns what is adopted.

    Args:
        strategies: Those that were given.
        orders: The policy, in the engine's form.
    """
    policy = (orders or {}).get("foreign")
    adopt = policy.get("adopt") if isinstance(policy, Mapping) else None
    named = any(one.name == ACCOUNT for one in strategies)
    if adopt is None or adopt.get("owner", ACCOUNT) != ACCOUNT or named:
        return list(strategies)
    return [*strategies, Account()]
