"""Import structlog without rich. Every module that logs uses `get_logger`.

If rich is installed, structlog imports it and Pygments for tracebacks with local variables, which the service never
logs. Every process would load both.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _not_installed(name: str) -> Iterator[None]:
    """Make the import of a module fail, as if it were not installed, unless it is already imported."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # https://docs.python.org/3/reference/import.html#the-module-cache
    try:
        yield
    finally:
        del sys.modules[name]


with _not_installed("rich"):
    import structlog

get_logger = structlog.get_logger

__all__ = ["get_logger", "structlog"]
