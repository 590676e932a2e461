"""The list `stops`: when the engine closes a position by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mainspring.config.section import Count, Name, NotNegative, Positive, Section, Wait

if TYPE_CHECKING:
    from mainspring.risk import Stop


class _Stop(Section):
    """A stop; the mid price decides."""

    strategy: Name | None = None
    """Whose positions; those of every strategy without it."""
    symbol: Name | None = None
    """In which instrument; in each without it."""

    def to_stop(self) -> Stop:
        """The same for `ms.backtest`."""
        from mainspring.risk import Stop

        given = self.model_dump(exclude_none=True)
        made: Stop = getattr(Stop, given.pop("kind"))(**given)
        return made


class FixedStop(_Stop):
    """At a distance against the entry."""

    kind: Literal["fixed"]
    """Which stop it is."""
    distance: Positive
    """In units of the price."""


class TrailingStop(_Stop):
    """At a distance from the best price since the entry."""

    kind: Literal["trailing"]
    """Which stop it is."""
    distance: Positive
    """In units of the price."""


class AtrStop(_Stop):
    """At a multiple of the average true range from the best price since the entry."""

    kind: Literal["atr"]
    """Which stop it is."""
    multiple: Positive
    """Of the average true range."""
    period: Count = 14
    """Bars that it is averaged over."""
    bar: Wait = "1m"
    """Length of a bar."""


class StepStop(_Stop):
    """At a distance against the entry that is raised by `step` for each `step` gained."""

    kind: Literal["step"]
    """Which stop it is."""
    distance: Positive
    """In units of the price."""
    step: Positive
    """In units of the price."""


class BreakEvenStop(_Stop):
    """At a distance against the entry; at the entry plus `offset` once `trigger` is gained."""

    kind: Literal["break_even"]
    """Which stop it is."""
    distance: Positive
    """In units of the price."""
    trigger: Positive
    """In units of the price."""
    offset: NotNegative | None = None
    """In units of the price."""


class TimeStop(_Stop):
    """So long after the entry, whatever the price."""

    kind: Literal["time"]
    """Which stop it is."""
    after: Wait
    """After the entry."""


class EquityStop(_Stop):
    """When the position has lost so much."""

    kind: Literal["equity"]
    """Which stop it is."""
    loss: Positive
    """In the settlement currency."""


AnyStop = Annotated[
    FixedStop | TrailingStop | AtrStop | StepStop | BreakEvenStop | TimeStop | EquityStop,
    Field(discriminator="kind"),
]
