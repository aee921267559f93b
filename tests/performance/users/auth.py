"""A user who lives with their account: reads and changes it, logs out and in, goes and comes anew."""

import random
import secrets

from locust import task

from users.account import FIRST_NAMES, LAST_NAMES, AccountUser
from users.base import API


class AuthUserFlow(AccountUser):
    """One person with one account at a time, by how often a person does what."""

    weight = 4
    group = "auth"

    @task(10)
    def read_profile(self) -> None:
        """Look at the own profile; it must be the own one."""
        with self.authorized("GET", "/auth/me", "Auth - Get Profile") as response:
            response.expect(200, {"id": "*", "email": self.account.email, "username": self.account.username})

    @task(4)
    def update_profile(self) -> None:
        """Change the name; the answer must carry the new one."""
        changed = {"first_name": random.choice(FIRST_NAMES), "last_name": random.choice(LAST_NAMES)}
        with self.authorized("PUT", "/auth/me", "Auth - Update Profile", json=changed) as response:
            response.expect(200, changed)

    @task(3)
    def refresh(self) -> None:
        """Renew the tokens."""
        self.renew_tokens()

    @task(1)
    def change_password(self) -> None:
        """Change the password and go on with the new one."""
        new_password = secrets.token_urlsafe(12)
        change = {"current_password": self.account.password, "new_password": new_password}
        with self.authorized("POST", "/auth/change-password", "Auth - Change Password", json=change) as response:
            if response.expect(200, {"success": True}):
                self.account.password = new_password

    @task(2)
    def come_back(self) -> None:
        """Log out and in again."""
        self.log_out()
        self.log_in()

    @task(1)
    def forget_password(self) -> None:
        """Ask for a reset mail."""
        request = {"email": self.account.email}
        with self.client.post(f"{API}/auth/forgot-password", json=request, name="Auth - Forgot Password") as response:
            response.expect(200, {"success": True})

    @task(1)
    def leave_for_good(self) -> None:
        """Log out; somebody new signs up."""
        self.log_out()
        self.sign_up()
        self.log_in()
