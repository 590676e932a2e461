"""The report in a real browser: it draws, it is quiet, it asks the network for nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from chromium import Chromium
from mainspring import analytics as an
from synthetic_run import SyntheticRun

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        importlib.util.find_spec("bokeh") is None, reason="needs mainspring[report]"
    ),
]

# For each chart, how many differently coloured pixels its canvases hold.
COLOURS = """
[...document.querySelectorAll(".chart")].map((place) => {
  const found = [];
  const walk = (root) => {
    for (const el of root.querySelectorAll("*")) {
      if (el.tagName === "CANVAS") found.push(el);
      if (el.shadowRoot) walk(el.shadowRoot);
    }
  };
  walk(place);
  const colours = new Set();
  for (const canvas of found) {
    if (!canvas.width || !canvas.height) continue;
    const context = canvas.getContext("2d");
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) {
      if (data[i + 3] > 200) colours.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    }
  }
  return colours.size;
})
"""


@pytest.fixture(scope="module")
def page(run: SyntheticRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return an.report(run, tmp_path_factory.mktemp("report") / "report.html")


@pytest.mark.parametrize(
    ("width", "dark"), [(1360, False), (1360, True), (390, False)], ids=["light", "dark", "phone"]
)
def test_report_draws_and_keeps_quiet(
    page: Path, browser_binary: str, width: int, dark: bool
) -> None:
    with Chromium(browser_binary) as browser:
        browser.view(width, 900, dark=dark)
        browser.open(page)
        colours = browser.evaluate(COLOURS)
        ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
        overflow = browser.evaluate("document.documentElement.scrollWidth - innerWidth")
        failed = browser.evaluate("document.documentElement.dataset.failed")
        assert failed is None
        assert browser.console == []
        assert browser.requests == [page.resolve().as_uri()]
    assert page.stat().st_size < 6_000_000
    assert len(colours) >= 10
    assert min(colours) >= 3, f"a chart is empty: {colours}"
    brightness = sum(int(part) for part in ground.strip("rgb()").split(","))
    assert (brightness < 200) == dark
    assert overflow <= 0, "the page is wider than the window"


def test_charts_follow_a_change_of_scheme(page: Path, browser_binary: str) -> None:
    line = """(() => { for (const doc of Bokeh.documents) for (const m of doc.all_models)
        if (m.type === "Line") return JSON.stringify(m.line_color); })()"""
    with Chromium(browser_binary) as browser:
        browser.view(1360, 900)
        browser.open(page)
        light = browser.evaluate(line)
        browser.view(1360, 900, dark=True)
        browser.settle()
        dark = browser.evaluate(line)
    assert "#12677a" in light
    assert "#58b7c9" in dark


def test_the_mouse_shows_a_tooltip(page: Path, browser_binary: str) -> None:
    shown = (
        "[...document.querySelectorAll('.bk-Tooltip')].map(e => e.shadowRoot.textContent).join()"
    )
    with Chromium(browser_binary) as browser:
        browser.view(1360, 900)
        browser.open(page)
        box = browser.evaluate(
            "(r => [r.left + r.width / 2, r.top + r.height / 2])"
            "(document.querySelector('.chart').getBoundingClientRect())"
        )
        for shift in (0, 5):
            browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0] + shift, y=box[1])
        browser.settle()
        assert "profit" in browser.evaluate(shown)
        assert browser.console == []


def test_print_shows_pictures_of_the_charts(page: Path, browser_binary: str) -> None:
    pictures = "document.querySelectorAll('.chart > .printed').length"
    with Chromium(browser_binary) as browser:
        browser.view(1360, 900)
        browser.open(page)
        charts = browser.evaluate("document.querySelectorAll('.chart').length")
        browser.evaluate("dispatchEvent(new Event('beforeprint')), 1")
        assert browser.evaluate(pictures) == charts
        assert browser.evaluate("Math.min(...[...document.images].map(i => i.src.length))") > 1_000
        browser.evaluate("dispatchEvent(new Event('afterprint')), 1")
        assert browser.evaluate(pictures) == 0
        assert browser.console == []
