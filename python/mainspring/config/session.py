"""The section `session`: how a session is kept on the disk and watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from mainspring.config.section import Duration, Section, Wait, nanoseconds

if TYPE_CHECKING:
    from mainspring.live import Keep


def _sync(text: str) -> str:
    milliseconds = nanoseconds(text) // 1_000_000
    if text not in ("process", "each") and not 1 <= milliseconds <= 60_000:
        raise ValueError(f"{text[:20]!r}: give process, each, or 1ms to 60s")
    return text


Mebibytes = Annotated[int, Field(ge=1, le=1 << 20)]


class SessionSection(Section):
    """How a session is kept on the disk, and what its supervisor watches."""

    sync: Annotated[str, AfterValidator(_sync)] = "100ms"
    """A power loss costs at most what came within this; `process`: more; `each`: nothing."""
    snapshot: Wait = "30s"
    """Between two snapshots of the state."""
    segment_mib: Annotated[int, Field(ge=1, le=1_024)] = 16
    """Size of one journal file."""
    retain_mib: Mebibytes = 1_024
    """Journal files behind the oldest snapshot are removed beyond this."""
    archive: str | None = None
    """A folder of the same disk where they are moved instead of being removed."""
    stuck: Wait = "1s"
    """Trading is halted when the kernel's thread does not go round for so long."""
    strategy: Wait = "5s"
    """A Python strategy is stopped when one call lasts so long."""
    flatten_on_kill: bool = False
    """Whether a kill closes positions at the market too."""
    busy_poll: bool = False
    """Whether the kernel never sleeps: it takes a core of its own."""
    stop: Duration = "1s"
    """How long the answers to the last cancels are waited for."""

    def to_keep(self) -> Keep:
        """The same for `ms.live.paper`."""
        from mainspring.live import Keep

        return Keep(**self.model_dump())
