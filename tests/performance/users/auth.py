"""User of the account routes: profile, tokens, password, logout and new registrations."""

import random
import secrets

from locust import task

from users.account import FIRST_NAMES, LAST_NAMES, AccountUser
from users.base import API


class AuthUserFlow(AccountUser):
    """A user with one account at a time. The weights of the tasks reflect how often people do each action."""

    weight = 4
    group = "auth"

    @task(10)
    def read_profile(self) -> None:
        """Read the profile. It must be that of the user's own account."""
        with self.authorized("GET", "/auth/me", "Auth - Get Profile") as response:
            response.expect(200, {"id": "*", "email": self.account.email, "username": self.account.username})

    @task(4)
    def update_profile(self) -> None:
        """Change the name. The response must contain the new name."""
        changed = {"first_name": random.choice(FIRST_NAMES), "last_name": random.choice(LAST_NAMES)}
        with self.authorized("PUT", "/auth/me", "Auth - Update Profile", json=changed) as response:
            response.expect(200, changed)

    @task(3)
    def refresh(self) -> None:
        """Refresh the tokens."""
        self.renew_tokens()

    @task(1)
    def change_password(self) -> None:
        """Change the password, and use the new one from then on.

        If the request fails, either password can be the valid one. The user then leaves its account.
        """
        self.bearer()  # can register a new account, with another password
        new_password = secrets.token_urlsafe(12)
        change = {"current_password": self.account.password, "new_password": new_password}
        with self.authorized("POST", "/auth/change-password", "Auth - Change Password", json=change) as response:
            if response.expect(200, {"success": True}):
                self.account.password = new_password
            else:
                self.leave_account()

    @task(2)
    def log_out_and_in(self) -> None:
        """Log out and log in again."""
        self.log_out()
        self.log_in()

    @task(1)
    def forget_password(self) -> None:
        """Request a reset mail."""
        request = {"email": self.account.email}
        with self.client.post(f"{API}/auth/forgot-password", json=request, name="Auth - Forgot Password") as response:
            response.expect(200, {"success": True})

    @task(1)
    def replace_account(self) -> None:
        """Log out, then register and log in with a new account."""
        self.log_out()
        self.leave_account()
        self.log_in()
