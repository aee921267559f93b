"""A user of notes, and the limits of its requests."""

from __future__ import annotations

import random

from locust import between, task

from loadgate.users import GROUP
from users.account import AccountUser

# The time to a result includes the wait for a free worker.
THRESHOLDS = {"notes_p95_ms": 200, "notes_tasks_p95_ms": 2000}
KEPT = 20
RESULT = {GROUP: "notes_tasks"}


class NotesUser(AccountUser):
    """Writes, reads, changes and deletes notes, and sometimes has their words counted."""

    weight = 2
    group = "notes"
    preflight = ("worker",)
    wait_time = between(0.3, 0.9)

    def on_start(self) -> None:
        """Register, log in, and create the first one."""
        super().on_start()
        self.ids: list[str] = []
        self.create()

    @task(4)
    def create(self) -> None:
        """Create one note. Delete one first if there are many."""
        if len(self.ids) >= KEPT:
            self.delete()
        content = {"title": f"Number {random.randrange(10**6)}", "text": "word " * random.randint(1, 200)}
        with self.authorized("POST", "/notes", "Notes - Create", json=content) as response:
            if created := response.expect(201, {"id": "*", "title": content["title"]}):
                self.ids.append(created["id"])

    @task(8)
    def read(self) -> None:
        """Read one note."""
        if self.ids:
            one = random.choice(self.ids)
            with self.authorized("GET", f"/notes/{one}", "Notes - Read") as response:
                response.expect(200, {"id": one})

    @task(4)
    def list(self) -> None:
        """Read the first page."""
        with self.authorized("GET", "/notes?limit=10", "Notes - List") as response:
            response.expect(200, {"items": "*", "total": len(self.ids)})

    @task(3)
    def change(self) -> None:
        """Change the title of one note."""
        if self.ids:
            changed = {"title": f"Changed {random.randrange(10**6)}"}
            one = random.choice(self.ids)
            with self.authorized("PATCH", f"/notes/{one}", "Notes - Change", json=changed) as response:
                response.expect(200, changed)

    @task(1)
    def delete(self) -> None:
        """Delete one note."""
        if self.ids:
            one = self.ids.pop(random.randrange(len(self.ids)))
            with self.authorized("DELETE", f"/notes/{one}", "Notes - Delete") as response:
                response.expect(200, {"id": one})

    @task(6)
    def count_words(self) -> None:
        """Have the words counted, and wait for the result."""
        with self.authorized("POST", "/notes/word-count", "Notes - Submit Word Count") as response:
            submitted = response.expect(200, {"task_id": "*"})
        if submitted:
            place = f"/tasks/{submitted['task_id']}/result?timeout=10"
            with self.authorized("GET", place, "Notes - Word Count", context=RESULT) as response:
                response.expect(200, {"success": True, "result.words": ">= 0"})


USERS = (NotesUser,)
