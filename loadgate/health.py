"""`HealthLimits`: beyond which a load generator counts as overloaded."""

from loadgate.run.health import HealthLimits

__all__ = ["HealthLimits"]
