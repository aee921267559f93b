"""Base class of users with an account. A user registers, logs in and renews its tokens."""

import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from locust.exception import RescheduleTask

from loadgate.users import GROUP
from users.base import API, BaseUser

FIRST_NAMES = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Alan", "Radia", "José", "Łukasz", "Zoë", "明")
LAST_NAMES = (
    "Lovelace",
    "Hopper",
    "Dijkstra",
    "Liskov",
    "Knuth",
    "Allen",
    "Turing",
    "Perlman",
    "O'Neil",
    "Śliwa",
    "李",
)
TOKENS = {"access_token": "*", "refresh_token": "*", "token_type": "bearer", "expires_in": "> 0"}
RENEW_BEFORE_EXPIRY_S = 15.0
AUTH = {GROUP: "auth"}


@dataclass
class Account:
    """Credentials of one account, unique across all load generators."""

    username: str
    email: str
    password: str
    first_name: str
    last_name: str

    @classmethod
    def unique(cls) -> "Account":
        """Return a new account. A 64-bit random number makes it unique across machines."""
        username = f"perf{secrets.token_hex(8)}"
        return cls(
            username=username,
            email=f"{username}@example.com",
            password=secrets.token_urlsafe(random.randint(9, 24)),
            first_name=random.choice(FIRST_NAMES),
            last_name=random.choice(LAST_NAMES),
        )


class AccountUser(BaseUser):
    """A user with one account at a time. Its account requests belong to the group `auth`, also in subclasses."""

    abstract = True

    account: Account
    is_registered = False
    access_token: str | None = None
    refresh_token: str | None = None
    access_expires_at: float = 0.0

    def on_start(self) -> None:
        """Register and log in when the user starts."""
        self.log_in()

    def sign_up(self) -> None:
        """Register a new unique account."""
        self.account = Account.unique()
        request = vars(self.account)
        with self.client.post(f"{API}/auth/register", json=request, name="Auth - Register", context=AUTH) as response:
            self.is_registered = response.expect(201, {"id": "*", "username": self.account.username}) is not None

    def log_in(self) -> None:
        """Log in with the user name or the email address, each with a probability of one half.

        A user without a registered account registers first. If that fails, it does not log in.
        """
        if not self.is_registered:
            self.sign_up()
        if not self.is_registered:
            return
        login = random.choice((self.account.username, self.account.email))
        request = {"username": login, "password": self.account.password}
        with self.client.post(f"{API}/auth/login", json=request, name="Auth - Login", context=AUTH) as response:
            self.store_tokens(response.expect(200, TOKENS))
        if response.status_code == 401:
            self.leave_account()

    def leave_account(self) -> None:
        """Forget the account and its tokens. The next login registers a new account."""
        self.is_registered = False
        self.store_tokens(None)

    def renew_tokens(self) -> None:
        """Exchange the refresh token. If that fails, log in again."""
        if self.refresh_token is None:
            self.log_in()
            return
        request = {"refresh_token": self.refresh_token}
        with self.client.post(f"{API}/auth/refresh", json=request, name="Auth - Refresh", context=AUTH) as response:
            self.store_tokens(response.expect(200, TOKENS))
        if self.access_token is None:
            self.log_in()

    def log_out(self) -> None:
        """End the session, if there is one."""
        if self.refresh_token is None:
            return
        request = {"refresh_token": self.refresh_token}
        with self.client.post(f"{API}/auth/logout", json=request, name="Auth - Logout", context=AUTH) as response:
            response.expect(200, {"success": True})
        self.store_tokens(None)

    def bearer(self) -> dict[str, str]:
        """Return the authorization header with a token that does not expire soon.

        Raises:
            RescheduleTask: The login failed. The failure has been recorded, and the task is skipped.
        """
        if self.access_token is None or time.monotonic() > self.access_expires_at - RENEW_BEFORE_EXPIRY_S:
            self.renew_tokens()
        if self.access_token is None:
            raise RescheduleTask
        return {"Authorization": f"Bearer {self.access_token}"}

    @contextmanager
    def authorized(self, method: str, path: str, name: str, **options: Any) -> Iterator[Any]:
        """Send a request with the header of `bearer`. A 401 deletes the tokens. Raises the exceptions of `bearer`."""
        with self.client.request(method, f"{API}{path}", name=name, headers=self.bearer(), **options) as response:
            yield response
        if response.status_code == 401:
            self.store_tokens(None)

    def store_tokens(self, tokens: dict[str, Any] | None) -> None:
        """Store the tokens of a login or refresh. None deletes them."""
        self.access_token = tokens["access_token"] if tokens else None
        self.refresh_token = tokens["refresh_token"] if tokens else None
        self.access_expires_at = time.monotonic() + tokens["expires_in"] if tokens else 0.0
