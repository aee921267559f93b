"""The performance suite of this service; `loadgate run PROFILE` and plain `locust -f` read the same file."""

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
    """Every user class of the suite; a profile's `weight_config` picks among them. Add new ones here."""
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
