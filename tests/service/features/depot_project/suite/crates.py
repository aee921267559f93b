"""The load-test user of crates."""


class CratesUser:
    """Stands for a user class of Locust."""

    weight = 2


USERS = (CratesUser,)
THRESHOLDS = {"crates_p95_ms": 100}
