"""A user that asks for nothing but the database's health; with the `database` profile it measures the round trip."""

from locust import between, task

from users.base import API, BaseUser


class DatabaseHealthUser(BaseUser):
    """Frequent database checks."""

    weight = 1
    group = "database"
    wait_time = between(0.2, 0.6)

    @task
    def database(self) -> None:
        """One real round trip to the database."""
        with self.client.get(f"{API}/health/database", name="Database - Health") as response:
            response.expect(200, {"status": "healthy", "details": "*"})
