"""A user of the health routes."""

from __future__ import annotations

from locust import between, task

from users.base import API, BaseUser


class HealthUser(BaseUser):
    """A monitoring system."""

    group = "health"
    wait_time = between(0.3, 0.9)

    @task(3)
    def ping(self) -> None:
        """Request the ping route."""
        with self.client.get(f"{API}/health/ping", name="Health - Ping") as response:
            response.expect(200, {"message": "pong"})

    @task(1)
    def overall(self) -> None:
        """Request the health of all parts."""
        with self.client.get(f"{API}/health/", name="Health - Overall") as response:
            response.expect(200, {"status": "*", "components.database.status": "healthy"})
