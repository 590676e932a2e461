"""Mainspring: a trading engine for people who write Python.

Names are imported on first use, so that `import mainspring` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainspring.errors import MainspringError as MainspringError

__version__ = "0.1.0"

# Public name -> "module:attribute", or "module" where the name is the module itself. One line here
# and its import under TYPE_CHECKING above is all that a public name needs.
_LAZY = {
    "MainspringError": "mainspring.errors:MainspringError",
    "errors": "mainspring.errors",
}

__all__ = ["__version__", *sorted(_LAZY)]  # noqa: PLE0604 - the table is the list


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'mainspring' has no attribute {name!r}")
    module_name, _, attribute = _LAZY[name].partition(":")
    module = importlib.import_module(module_name)
    value = getattr(module, attribute) if attribute else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
