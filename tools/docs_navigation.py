"""MkDocs hook: the order of the sections. Pages inside a section are in alphabetical order."""

from __future__ import annotations

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation

ORDER = (
    "index.md",
    "tutorial",
    "how-to",
    "explanation",
    "reference",
    "architecture.md",
    "benchmarks.md",
)


def on_nav(nav: Navigation, *, config: MkDocsConfig, files: Files) -> Navigation:
    """Sorts the top level of the navigation by `ORDER`; what is not listed comes last."""
    nav.items.sort(key=_place)
    return nav


def _place(item: object) -> int:
    pages = [item, *(getattr(item, "children", None) or ())]
    sources = [page.file.src_uri for page in pages if getattr(page, "file", None)]
    top = {source.partition("/")[0] for source in sources}
    return next((at for at, name in enumerate(ORDER) if name in top), len(ORDER))
