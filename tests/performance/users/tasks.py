"""User that monitors the task system, like the dashboard of an operator."""

from locust import between, task

from users.base import API, BaseUser


class TasksMonitoringUser(BaseUser):
    """Polls the state of the workers and their tasks."""

    weight = 1
    group = "tasks"
    preflight = ("worker",)
    wait_time = between(0.3, 0.9)  # short enough that one user makes enough requests for a p95 within a minute

    @task(3)
    def health(self) -> None:
        """Request the health of the task system. The broker must be available and a worker online."""
        with self.client.get(f"{API}/tasks/health", name="Tasks - Health") as response:
            response.expect(200, {"status": "healthy", "celery_available": True, "active_workers": ">= 1"})

    @task(2)
    def worker_stats(self) -> None:
        """Request the statistics of the workers."""
        with self.client.get(f"{API}/tasks/workers/stats", name="Tasks - Worker Stats") as response:
            response.expect(200, {"stats": "*", "ping": "*", "registered": "*", "as_of": "*"})

    @task(2)
    def active(self) -> None:
        """Request the active tasks."""
        with self.client.get(f"{API}/tasks/active", name="Tasks - Active") as response:
            response.expect(200, {"active": "*", "scheduled": "*", "reserved": "*", "as_of": "*"})
