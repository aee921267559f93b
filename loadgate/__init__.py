"""The load gate: turns a Locust suite into load profiles, numbers that can be trusted, a verdict and a report.

`install` is imported on first use, because importing Locust patches the standard library for gevent, which only a
Locust process wants.
"""

from typing import TYPE_CHECKING, Any

from loadgate.profile import LoadProfile, Stage

if TYPE_CHECKING:
    from loadgate.gate import install

__all__ = ["LoadProfile", "Stage", "install"]


def __getattr__(name: str) -> Any:
    if name == "install":
        from loadgate.gate import install  # noqa: PLC0415 - see the module's docstring

        return install
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
