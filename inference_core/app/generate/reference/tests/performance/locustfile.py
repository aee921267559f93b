"""The load suite of this service, for `make perf` and plain `locust -f`."""

import loadgate
from config import LOAD_PROFILES, THRESHOLDS
from features import FEATURE_USERS
from users.health import HealthUser

# Locust finds the user classes among the names of this file.
globals().update({user.__name__: user for user in FEATURE_USERS})
loadgate.install(profiles=LOAD_PROFILES, user_classes=[HealthUser, *FEATURE_USERS], thresholds=THRESHOLDS)
