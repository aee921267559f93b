"""Load profiles and limits. `make perf PROFILE=name` or `LOAD_PROFILE` selects a profile."""

from features import FEATURE_PROFILES, LOADS
from loadgate import LoadProfile

# In milliseconds at the 95th percentile of successful requests, by the `group` of the users.
THRESHOLDS = {"health_p95_ms": 100, "overall_failure_rate": 0.01}
for load in LOADS:
    THRESHOLDS |= load.thresholds

LOAD_PROFILES = {
    # Each feature adds users, so that each has enough requests for its limits.
    "light": LoadProfile(
        name="light",
        description="Smoke test: all users, in development and CI",
        users=5 + 5 * len(LOADS),
        spawn_rate=2,
        run_time="30s",
    ),
    "heavy": LoadProfile(
        name="heavy", description="Stress test before production: all users", users=50, spawn_rate=5, run_time="10m"
    ),
    **FEATURE_PROFILES,
}
