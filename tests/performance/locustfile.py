"""Performance suite of this service, for `loadgate run PROFILE` and plain `locust -f`."""

import loadgate
from config import LOAD_PROFILES, PERFORMANCE_THRESHOLDS
from users import (
    AuthUserFlow,
    BaseUser,
    DatabaseHealthUser,
    HealthCheckFullUser,
    HealthCheckUser,
    LLMStreamUser,
    LLMTaskUser,
    TasksMonitoringUser,
)


def get_user_classes() -> list[type[BaseUser]]:
    """Return every user class of the suite. The `weight_config` of a profile selects among them."""
    return [
        HealthCheckUser,
        HealthCheckFullUser,
        AuthUserFlow,
        TasksMonitoringUser,
        LLMStreamUser,
        LLMTaskUser,
        DatabaseHealthUser,
    ]


loadgate.install(
    profiles=LOAD_PROFILES,
    thresholds=PERFORMANCE_THRESHOLDS,
    user_classes=get_user_classes(),
)
