"""The users of the features that name some in `Feature.load_users`, and one load profile for each of these features."""

from inference_core.core.current_service import current_service
from inference_core.core.load_users import feature_loads
from loadgate import LoadProfile

LOADS = feature_loads(current_service())
FEATURE_USERS = [user for load in LOADS for user in load.users]
FEATURE_PROFILES = {
    load.feature: LoadProfile(
        name=load.feature,
        description=f"Only the users of {load.feature}",
        users=5,
        spawn_rate=2,
        run_time="30s",
        weight_config={user.__name__: user.weight for user in load.users},
        thresholds={**load.thresholds, "overall_failure_rate": 0.01},
    )
    for load in LOADS
}
