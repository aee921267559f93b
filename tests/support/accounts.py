"""Account calls as tests write them: short, with the answer's status checked where it is not the subject."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest

from inference_core.auth.admin.superusers import create_superuser
from inference_core.auth.state import AuthState
from inference_core.core.state import AppState
from inference_core.health.watch import HealthWatch
from inference_core.llm.state import LLMState
from inference_core.tasks.monitor import WorkerMonitor
from inference_core.tasks.service import TaskService
from inference_core.tasks.state import TasksState
from tests.support.settings import Settings

PREFIX = "/api/v1"
PASSWORD = "SecurePass123!"


@dataclass(frozen=True, slots=True)
class User:
    """A registered account."""

    id: str
    username: str
    email: str
    password: str = PASSWORD


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a login gave."""

    access: str
    refresh: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}


def new_registration(**changes: Any) -> dict[str, Any]:
    name = new_name()
    return {"username": name, "email": f"{name}@example.com", "password": PASSWORD} | changes


def new_name() -> str:
    """A user name nobody has."""
    return f"user{secrets.token_hex(6)}"


def new_network() -> str:
    """The first three numbers of addresses in a network nobody else uses: a host's is `f"{network}.1"`."""
    return f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


def audit_events(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """What the log says of one kind of security event."""
    entries = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [entry for entry in entries if entry.get("audit") and entry["event"] == event]


@dataclass(frozen=True, slots=True)
class Api:
    """A running application and a client for it; `app` serves clients at other addresses."""

    client: httpx2.AsyncClient
    app: Any
    settings: Settings
    state: AppState

    @property
    def auth(self) -> AuthState:
        return self.state.of(AuthState)

    @property
    def tasks(self) -> TaskService:
        return self.state.of(TasksState).service

    @property
    def workers(self) -> WorkerMonitor:
        return self.state.of(TasksState).workers

    @property
    def health(self) -> HealthWatch:
        return self.state.of(HealthWatch)

    @property
    def llm(self) -> LLMState:
        return self.state.of(LLMState)

    def at(self, address: str) -> Api:
        """The same application, called from another address."""
        transport = httpx2.ASGITransport(app=self.app, client=(address, 1234), raise_app_exceptions=False)
        return replace(self, client=httpx2.AsyncClient(transport=transport, base_url="http://testserver"))

    async def call(self, method: str, path: str, tokens: Tokens | None = None, **options: Any) -> httpx2.Response:
        headers = {**(tokens.bearer if tokens else {}), **options.pop("headers", {})}
        return await self.client.request(method, PREFIX + path, headers=headers, **options)

    async def post(self, path: str, body: Any, tokens: Tokens | None = None, **options: Any) -> httpx2.Response:
        return await self.call("POST", path, tokens, json=body, **options)

    async def get(self, path: str, tokens: Tokens | None = None, **options: Any) -> httpx2.Response:
        return await self.call("GET", path, tokens, **options)

    async def register(self, **changes: Any) -> User:
        body = new_registration(**changes)
        response = await self.post("/auth/register", body)
        assert response.status_code == 201, response.text
        profile = response.json()
        return User(profile["id"], profile["username"], profile["email"], body["password"])

    async def register_superuser(self) -> User:
        name = new_name()
        email = f"{name}@example.com"
        user_id = await create_superuser(self.settings, username=name, email=email, password=PASSWORD)
        return User(str(user_id), name, email)

    async def try_login(self, user: User, password: str | None = None) -> httpx2.Response:
        return await self.post("/auth/login", {"username": user.username, "password": password or user.password})

    async def login(self, user: User, password: str | None = None) -> Tokens:
        response = await self.try_login(user, password)
        assert response.status_code == 200, response.text
        return Tokens(response.json()["access_token"], response.json()["refresh_token"])

    async def try_refresh(self, tokens: Tokens) -> httpx2.Response:
        return await self.post("/auth/refresh", {"refresh_token": tokens.refresh})

    async def refresh(self, tokens: Tokens) -> Tokens:
        response = await self.try_refresh(tokens)
        assert response.status_code == 200, response.text
        return Tokens(response.json()["access_token"], response.json()["refresh_token"])

    async def me_status(self, tokens: Tokens) -> int:
        return (await self.get("/auth/me", tokens)).status_code
