"""Take the picture of a report that the README shows.

python tools/report_picture.py report.html docs/images/report.png
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "analytics"))

import chromium  # noqa: E402
from PIL import Image  # noqa: E402

WIDTH, HEIGHT, SCALE, COLOURS = 1240, 1286, 1.5, 128


def main(report: Path, picture: Path) -> None:
    """Photograph the upper part of the report, in few colours so that the file stays small."""
    binary = chromium.find()
    if binary is None:
        sys.exit("no Chromium found: apt-get install chromium, or set MAINSPRING_CHROMIUM")
    picture.parent.mkdir(parents=True, exist_ok=True)
    with chromium.Chromium(binary) as browser:
        browser.view(WIDTH, HEIGHT, scale=SCALE)
        browser.open(report)
        browser.screenshot(picture, whole=True, height=HEIGHT)
    image = Image.open(picture).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(picture, optimize=True)
    print(f"{picture}: {picture.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
