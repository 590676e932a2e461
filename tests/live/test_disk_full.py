"""A session on a disk that is really full: it halts, cancels, says so, and goes on later."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import mainspring as ms
import pytest
from mainspring.live import Keep, LiveSession, PaperVenue, paper

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to mount a tmpfs"
)
KEEP = Keep(segment_mib=2, snapshot="1s", sync="10ms")
MAKER = ms.native.TouchMaker(size="0.01", max_position="0.1", every="5ms")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 7 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=7m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this system does not let us mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def halted(session: LiveSession) -> None:
    begun = time.monotonic()
    while not session.status().halted:
        assert time.monotonic() - begun < 60, f"not halted: {session.status()}"
        time.sleep(0.01)


def test_a_full_disk_halts_cancels_and_loses_nothing(disk: Path) -> None:
    with paper(MAKER, disk / "session", venue=PaperVenue(speed=100), keep=KEEP) as session:
        halted(session)
        causes = [entry[1] for entry in session.entries]
        assert "disk_full" in causes
        outcome = session.stop()
    assert outcome.broken is None
    assert outcome.status.open_orders == 0
    assert outcome.status.fills > 0
    held = outcome.status.markets[0]["position_lots"]
    found = ms.journal.open(disk / "session").verify()["findings"]
    assert not [one for one in found if one["damage"]]

    grow = ["mount", "-o", "remount,size=64m", str(disk)]
    subprocess.run(grow, check=True, capture_output=True)
    with paper(MAKER, disk / "session", venue=PaperVenue(speed=100), keep=KEEP) as again:
        assert again.resumed
        # A halt is never lifted by itself.
        halted(again)
        assert again.status().markets[0]["position_lots"] == held
        assert again.stop().broken is None
