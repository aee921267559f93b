"""A suite for the library service: its users, its load profiles and its limits."""

import random

from locust import between, task

import loadgate
from loadgate import LoadProfile
from loadgate.users import BaseUser


class Reader(BaseUser):
    """Looks at the list of books, and at single books."""

    group = "reading"
    weight = 4
    wait_time = between(0.2, 0.6)

    @task
    def list_books(self) -> None:
        """Request the list. It must contain books."""
        with self.client.get("/books", name="List books") as response:
            response.expect(200, {"books": "*"})

    @task(3)
    def read_book(self) -> None:
        """Request one book. All books share one row of the report."""
        book_id = random.randint(1, 50)
        with self.client.get(f"/books/{book_id}", name="Read book") as response:
            response.expect(200, {"id": book_id, "title": "*"})


class Borrower(BaseUser):
    """Borrows books."""

    group = "loans"
    weight = 1
    wait_time = between(0.5, 1.5)

    @task
    def borrow(self) -> None:
        """Borrow a book."""
        book_id = random.randint(1, 50)
        with self.client.post("/loans", json={"book_id": book_id}, name="Borrow book") as response:
            response.expect(201, {"book_id": book_id, "days": "> 0"})


loadgate.install(
    profiles={
        "smoke": LoadProfile(
            name="smoke",
            description="Half a minute with ten users",
            users=10,
            spawn_rate=5,
            run_time="30s",
        ),
        "steady": LoadProfile(
            name="steady",
            description="40 requests per second, also if responses become slow",
            users=50,
            rate="40/s",
            run_time="2m",
        ),
    },
    user_classes=[Reader, Borrower],
    thresholds={"reading_p95_ms": 100, "loans_p95_ms": 200, "overall_failure_rate": 0.01},
    rules=["overall: throughput > 5/s"],
)
