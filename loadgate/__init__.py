"""The load gate: load profiles, measurements, a verdict and a report for a Locust suite.

The public names are imported on first use. An import of Locust takes time and patches the standard library for gevent,
which only a Locust process needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loadgate.generator.install import install
    from loadgate.run.health import HealthLimits
    from loadgate.shape.profile import LoadProfile, Stage

__all__ = ["HealthLimits", "LoadProfile", "Stage", "install"]

_MODULES = {
    "HealthLimits": "loadgate.run.health",
    "LoadProfile": "loadgate.shape.profile",
    "Stage": "loadgate.shape.profile",
    "install": "loadgate.generator.install",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
