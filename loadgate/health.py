"""`HealthLimits`: the limits above which a load generator is saturated."""

from loadgate.run.health import HealthLimits

__all__ = ["HealthLimits"]
