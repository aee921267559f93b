"""Users that check whether the service is well: single checks, and a heavier sweep over all of them."""

from locust import task

from users.base import API, BaseUser


class HealthChecks(BaseUser):
    """The single checks; each is one request."""

    abstract = True
    group = "health"

    def check_root(self) -> None:
        """What the service says about itself."""
        with self.client.get("/", name="Health - Root") as response:
            response.expect(200, {"message": "*", "version": "*", "environment": "*", "docs": "*"})

    def check_overall(self) -> None:
        """The overall health."""
        with self.client.get(f"{API}/health/", name="Health - Overall") as response:
            response.expect(200, {"status": "*", "timestamp": "*", "components.database.status": "healthy"})

    def check_database(self) -> None:
        """One real round trip to the database."""
        with self.client.get(f"{API}/health/database", name="Health - Database") as response:
            response.expect(200, {"status": "healthy", "details": "*"})

    def check_ping(self) -> None:
        """The cheapest answer there is."""
        with self.client.get(f"{API}/health/ping", name="Health - Ping") as response:
            response.expect(200, {"message": "pong", "status": "ok"})

    def check_docs(self) -> None:
        """The documentation page; a production service has none."""
        with self.client.get("/docs", name="Health - Docs") as response:
            if response.status_code == 200 and "swagger" not in (response.text or "").lower():
                response.failure("the documentation page shows no API documentation")
            elif response.status_code in {200, 404}:
                response.success()
            else:
                response.failure(f"answered {response.status_code}, expected 200 or 404")


class HealthCheckUser(HealthChecks):
    """Somebody's monitoring: mostly pings, now and then a look at everything else."""

    weight = 3

    @task(4)
    def ping(self) -> None:
        """Ping."""
        self.check_ping()

    @task(3)
    def overall(self) -> None:
        """Overall health."""
        self.check_overall()

    @task(2)
    def database(self) -> None:
        """Database health."""
        self.check_database()

    @task(2)
    def root(self) -> None:
        """Root."""
        self.check_root()

    @task(1)
    def docs(self) -> None:
        """Documentation."""
        self.check_docs()


class HealthCheckFullUser(HealthChecks):
    """A dashboard that refreshes: every health call in one go. Heavier, so of low weight."""

    weight = 1

    @task
    def full_check(self) -> None:
        """Root, ping, overall and database one after the other."""
        self.check_root()
        self.check_ping()
        self.check_overall()
        self.check_database()
