"""A user that watches the task system, as an operator's dashboard does."""

from locust import between, task

from users.base import API, BaseUser


class TasksMonitoringUser(BaseUser):
    """Polls the state of the workers and their tasks."""

    weight = 1
    group = "tasks"
    preflight = ("worker",)
    wait_time = between(0.3, 0.9)  # often enough that one such user yields a bounded p95 in a minute

    @task(3)
    def health(self) -> None:
        """The task system's health: the broker is up and a worker is alive."""
        with self.client.get(f"{API}/tasks/health", name="Tasks - Health") as response:
            response.expect(200, {"status": "healthy", "celery_available": True, "active_workers": ">= 1"})

    @task(2)
    def worker_stats(self) -> None:
        """What each worker says about itself."""
        with self.client.get(f"{API}/tasks/workers/stats", name="Tasks - Worker Stats") as response:
            response.expect(200, {"stats": "*", "ping": "*", "registered": "*", "as_of": "*"})

    @task(2)
    def active(self) -> None:
        """What the workers are doing."""
        with self.client.get(f"{API}/tasks/active", name="Tasks - Active") as response:
            response.expect(200, {"active": "*", "scheduled": "*", "reserved": "*", "as_of": "*"})
