"""Performance suite of this service, for `loadgate run PROFILE` and plain `locust -f`."""

import loadgate
from config import LOAD_PROFILES, PERFORMANCE_THRESHOLDS
from features import FEATURE_PROFILES, FEATURE_USERS
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

# Locust finds the user classes among the names of this file.
globals().update({user.__name__: user for user in FEATURE_USERS})


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
    profiles={**LOAD_PROFILES, **FEATURE_PROFILES},
    thresholds=PERFORMANCE_THRESHOLDS,
    user_classes=[*get_user_classes(), *FEATURE_USERS],
)
