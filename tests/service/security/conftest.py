"""What several security tests need: captured tasks, events beside a login, and a service with permissions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from celery import Celery

from inference_core.app.application import create_application
from tests.service.conftest import running
from tests.support.accounts import Api
from tests.support.notes import notes_service
from tests.support.settings import Settings

SentTasks = list[tuple[str, tuple[str, ...]]]
Meanwhile = Callable[[Api, Callable[[], Awaitable[object]]], None]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> SentTasks:
    """The tasks the application hands to Celery, which are not sent."""
    messages: SentTasks = []

    def keep(self: Celery, name: str, args: tuple[str, ...], *_: object, **__: object) -> None:
        messages.append((name, tuple(args)))

    monkeypatch.setattr(Celery, "send_task", keep)
    return messages


@pytest.fixture
def while_a_password_is_compared(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Has something happen once, after the next password was found right or wrong and before anything comes of it."""

    def arrange(api: Api, event: Callable[[], Awaitable[object]]) -> None:
        passwords = api.auth.passwords
        compare = passwords.verify

        async def verify(password: str, stored: str | None) -> tuple[bool, str | None]:
            found = await compare(password, stored)
            monkeypatch.setattr(passwords, "verify", compare)
            await event()
            return found

        monkeypatch.setattr(passwords, "verify", verify)

    return arrange


@pytest.fixture
async def notes_api(service_settings: Callable[..., Settings]) -> AsyncIterator[Api]:
    """The built-in service with a feature that declares permissions."""
    settings = service_settings()
    async with running(create_application(notes_service, settings), settings) as api:
        yield api
