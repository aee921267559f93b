"""User of the `database` profile. It requests only the database health route."""

from locust import between, task

from users.base import API, BaseUser


class DatabaseHealthUser(BaseUser):
    """Requests the database health often."""

    weight = 1
    group = "database"
    wait_time = between(0.2, 0.6)

    @task
    def database(self) -> None:
        """Request the database health. The route makes one round trip to the database."""
        with self.client.get(f"{API}/health/database", name="Database - Health") as response:
            response.expect(200, {"status": "healthy", "details": "*"})
