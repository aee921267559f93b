"""Identifiers are read alike wherever they are typed: at registration, login, reset and in commands."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from inference_core.auth.accounts.identifiers import read_login, read_username, without_case
from inference_core.auth.admin.superusers import create_superuser
from inference_core.auth.mail import names
from inference_core.auth.mail.tokens import make_mailed_token
from inference_core.auth.schemas import Email, Username
from tests.service.conftest import AppFactory
from tests.service.security.conftest import SentTasks
from tests.support.accounts import PASSWORD, Api, User, new_name, new_registration
from tests.support.servers.databases import on_every_database

pytestmark = pytest.mark.anyio


def full_width(text: str) -> str:
    return "".join(chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character for character in text)


def spellings_of_a_name(name: str) -> list[str]:
    return [name.upper(), f" {name}", f"{name}  ", f"\t{name}\n", full_width(name), f"\u3000{name.title()}"]


def spellings_of_an_email(local: str, domain: str) -> list[str]:
    """Of an address whose local part and domain have letters beyond ASCII."""
    plain = f"{local}@{domain}"
    return [
        plain,
        plain.upper(),
        f" {plain} ",
        f"{plain}\n",
        unicodedata.normalize("NFD", plain),
        unicodedata.normalize("NFD", plain).upper(),
        f"{local}@{domain.encode('idna').decode()}",
        f"{local}@{domain.encode('idna').decode().upper()}",
        f"{local}@{full_width(domain)}",
    ]


@on_every_database
async def test_S01_an_identifier_logs_in_however_it_is_spelled(api: Api) -> None:
    name = new_name()
    local, domain = f"zoë.{name}", "bücher.example.com"
    await api.register(username=name, email=f"{local}@{domain}")
    spellings = [*spellings_of_a_name(name), *spellings_of_an_email(local, domain)]
    for typed in spellings:
        answers = [
            await api.post("/auth/login", {"username": typed, "password": PASSWORD}),
            await api.call("POST", "/auth/token", data={"username": typed, "password": PASSWORD}),
        ]
        assert [answer.status_code for answer in answers] == [200, 200], repr(typed)


@on_every_database
async def test_S01_what_is_no_spelling_of_an_identifier_logs_nobody_in(api: Api) -> None:
    user = await api.register()
    middle = f"{user.username[:4]} {user.username[4:]}"
    for typed in (middle, f"{user.username}\u200b", f"{user.username}\0", f"{user.username}.", f"{user.username}%"):
        answer = await api.post("/auth/login", {"username": typed, "password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials"), repr(typed)


async def test_S04_every_spelling_of_an_identifier_is_taken_by_one_account(api: Api, sent: SentTasks) -> None:
    name = new_name()
    local, domain = f"zoë.{name}", "bücher.example.com"
    user = await api.register(username=name.title(), email=f"{local}@{domain}")
    assert (user.username, user.email) == (name, f"{local}@{domain}")
    for typed in spellings_of_a_name(name):
        assert (await api.post("/auth/register", new_registration(username=typed))).status_code == 409, repr(typed)
    for typed in spellings_of_an_email(local, domain):
        assert (await api.post("/auth/register", new_registration(email=typed))).status_code == 409, repr(typed)
        sent.clear()
        assert (await api.post("/auth/forgot-password", {"email": typed})).status_code == 200
        assert sent in ([], [(names.PASSWORD_RESET, (user.email,))]), repr(typed)
    tokens = await api.login(user)
    for typed in spellings_of_an_email(local, domain):  # the same email needs no password and changes nothing
        assert (await api.call("PUT", "/auth/me", tokens, json={"email": typed})).status_code == 200, repr(typed)


async def test_S36_a_superuser_is_made_and_found_in_every_spelling(api: Api) -> None:
    name = new_name()
    email = f"zoë.{name}@bücher.example.com"
    typed = unicodedata.normalize("NFD", f" {email.upper()} ")
    await create_superuser(api.settings, username=f" {full_width(name)} ", email=typed, password=PASSWORD)
    tokens = await api.login(User("", name, email))
    for search in (typed, full_width(name), f" {name.upper()} ", unicodedata.normalize("NFD", f"zoë.{name}")):
        found = (await api.get("/admin/users", tokens, params={"search": search})).json()
        assert [account["email"] for account in found["items"]] == [email], repr(search)


async def test_S28_a_token_that_was_copied_with_blanks_counts(api: Api) -> None:
    user = await api.register()
    tokens = await api.login(user)
    assert (await api.post("/auth/refresh", {"refresh_token": f" {tokens.refresh}\n"})).status_code == 200
    made = await make_mailed_token(api.settings, user.email, "reset")
    assert made is not None
    reset = {"token": f"\n{made.token} ", "new_password": "BrandNew789!"}
    assert (await api.post("/auth/reset-password", reset)).status_code == 200


async def test_S19_every_spelling_counts_for_one_lock(start_app: AppFactory) -> None:
    async with start_app(login_failures_allowed=3) as api:
        user = await api.register()
        statuses = [
            (await api.post("/auth/login", {"username": typed, "password": "WrongPassword1"})).status_code
            for typed in spellings_of_a_name(user.username)[:5]
        ]
        assert statuses == [401] * 3 + [429] * 2


@pytest.mark.parametrize(
    "unit",
    ["\ufdfa", "a", "ß.", "xn--a", "x@", "<", " ", "\u0300", "\uff58", "\u202e", "a.", '"', "\\", "@[", "\u0344"],
)
@pytest.mark.parametrize("before", ["", "a@", "x <"])
def test_S01_no_text_takes_long_to_read(before: str, unit: str) -> None:
    start_s = time.thread_time()
    text = before + unit * (1_000_000 // len(unit))
    read_login(text)
    read_username(text)
    without_case(text)
    assert time.thread_time() - start_s < 0.05


@given(st.text(max_size=60) | st.from_regex(r"[\w.+İßK-]{1,20}@[\wßüÉ.-]{1,20}\.[a-zé]{2,5}", fullmatch=True))
def test_S01_what_registration_stores_is_what_a_login_looks_up(typed: str) -> None:
    for kind in (Username, Email):
        adapter = TypeAdapter(kind)
        try:
            stored = adapter.validate_python(typed)
        except ValidationError:
            continue
        assert read_login(typed) == read_login(stored) == stored
        assert adapter.validate_python(stored) == stored
