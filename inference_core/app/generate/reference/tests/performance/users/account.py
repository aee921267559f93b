"""The base class of users with an account."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from locust.exception import RescheduleTask

from loadgate.users import GROUP
from users.base import API, BaseUser

AUTH = {GROUP: "auth"}
RENEW_BEFORE_EXPIRY_S = 15.0


class AccountUser(BaseUser):
    """A user that registers and logs in first. These requests belong to the group `auth`, also in subclasses."""

    abstract = True

    username: str
    password: str
    access_token: str | None = None
    access_expires_at: float = 0.0

    def on_start(self) -> None:
        """Register a new account and log in."""
        self.username, self.password = f"perf{secrets.token_hex(8)}", secrets.token_urlsafe(12)
        account = {"username": self.username, "email": f"{self.username}@example.com", "password": self.password}
        with self.client.post(f"{API}/auth/register", json=account, name="Auth - Register", context=AUTH) as response:
            response.expect(201, {"id": "*", "username": self.username})
        self.log_in()

    def log_in(self) -> None:
        """Log in, and store the access token."""
        login = {"username": self.username, "password": self.password}
        with self.client.post(f"{API}/auth/login", json=login, name="Auth - Login", context=AUTH) as response:
            tokens = response.expect(200, {"access_token": "*", "expires_in": "> 0"})
        self.access_token = tokens["access_token"] if tokens else None
        self.access_expires_at = time.monotonic() + tokens["expires_in"] if tokens else 0.0

    @contextmanager
    def authorized(self, method: str, path: str, name: str, **options: Any) -> Iterator[Any]:
        """Send a request with an access token that does not expire soon.

        Raises:
            RescheduleTask: The login failed. The failure has been recorded, and the task is skipped.
        """
        if self.access_token is None or time.monotonic() > self.access_expires_at - RENEW_BEFORE_EXPIRY_S:
            self.log_in()
        if self.access_token is None:
            raise RescheduleTask
        headers = {"Authorization": f"Bearer {self.access_token}"}
        with self.client.request(method, f"{API}{path}", name=name, headers=headers, **options) as response:
            yield response
        if response.status_code == 401:
            self.access_token = None
