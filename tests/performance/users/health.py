"""Users of the health routes: one makes single checks, and one makes four checks in a row."""

from locust import task

from users.base import API, BaseUser


class HealthChecks(BaseUser):
    """Base class of both users. Each check is one request."""

    abstract = True
    group = "health"

    def check_root(self) -> None:
        """Check the root page."""
        with self.client.get("/", name="Health - Root") as response:
            response.expect(200, {"message": "*", "version": "*", "environment": "*", "docs": "*"})

    def check_overall(self) -> None:
        """Check the overall health."""
        with self.client.get(f"{API}/health/", name="Health - Overall") as response:
            response.expect(200, {"status": "*", "timestamp": "*", "components.database.status": "healthy"})

    def check_database(self) -> None:
        """Check the database. The route makes one round trip to it."""
        with self.client.get(f"{API}/health/database", name="Health - Database") as response:
            response.expect(200, {"status": "healthy", "details": "*"})

    def check_ping(self) -> None:
        """Check the ping route, which needs the least work of all routes."""
        with self.client.get(f"{API}/health/ping", name="Health - Ping") as response:
            response.expect(200, {"message": "pong", "status": "ok"})

    def check_docs(self) -> None:
        """Check the documentation page. It returns 404 in production."""
        with self.client.get("/docs", name="Health - Docs") as response:
            if response.status_code == 200 and "swagger" not in (response.text or "").lower():
                response.failure("the documentation page contains no API documentation")
            elif response.status_code in {200, 404}:
                response.success()
            else:
                response.failure(f"returned {response.status_code}, expected 200 or 404")


class HealthCheckUser(HealthChecks):
    """A monitoring system. It requests the ping route most often, and the other routes less often."""

    weight = 3

    @task(4)
    def ping(self) -> None:
        """Request the ping route."""
        self.check_ping()

    @task(3)
    def overall(self) -> None:
        """Request the overall health."""
        self.check_overall()

    @task(2)
    def database(self) -> None:
        """Request the database health."""
        self.check_database()

    @task(2)
    def root(self) -> None:
        """Request the root page."""
        self.check_root()

    @task(1)
    def docs(self) -> None:
        """Request the documentation page."""
        self.check_docs()


class HealthCheckFullUser(HealthChecks):
    """A dashboard that refreshes. It makes four checks in a row and therefore has a low weight."""

    weight = 1

    @task
    def full_check(self) -> None:
        """Request root, ping, overall health and database health."""
        self.check_root()
        self.check_ping()
        self.check_overall()
        self.check_database()
