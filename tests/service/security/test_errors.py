"""Every error is a problem document that tells a stranger nothing."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable
from encodings import aliases
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest
from fastapi import APIRouter, HTTPException

from inference_core.core import problems as errors
from tests.service.conftest import AppFactory, running
from tests.support.accounts import Api, new_name, new_registration
from tests.support.logs import log_lines_of
from tests.support.settings import Settings, application

pytestmark = pytest.mark.anyio

FIELDS = {"type", "title", "status", "detail", "instance", "request_id"}


def assert_is_problem(answer: httpx2.Response, status: int, path: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) >= FIELDS
    assert (body["status"], body["instance"]) == (status, path)
    assert isinstance(body["detail"], str)
    assert body["request_id"] == answer.headers["x-request-id"]


async def test_S38_every_client_error_is_a_problem_document(api: Api) -> None:
    unknown = await api.client.get("/nothing/here")
    assert_is_problem(unknown, 404, "/nothing/here")
    wrong_method = await api.client.delete("/api/v1/auth/login")
    assert_is_problem(wrong_method, 405, "/api/v1/auth/login")
    assert wrong_method.headers["allow"] == "POST"
    assert (await api.client.delete("/api/v1/auth/me")).headers["allow"] == "GET, HEAD, PUT"
    path = "/api/v1/auth/login"
    assert_is_problem(await api.client.post(path, content=b'{"username": "\xff"}', headers=JSON), 400, path)
    for content in (b"{", b"[]", b"null", b'{"username": 1}', b'{"username": "\\ud800", "password": "x"}'):
        answer = await api.client.post(path, content=content, headers=JSON)
        assert_is_problem(answer, 422, path)
        assert {frozenset(error) for error in answer.json()["errors"]} == {frozenset({"loc", "msg", "type"})}
    refused = await api.client.post(path, json={"username": "nobody", "password": "hunter2secret"})
    assert_is_problem(refused, 401, path)
    assert "hunter2secret" not in refused.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/login", {"username": 1, "password": ["hunter2"]}),
        ("/auth/register", {"username": "hunter2 hunter2", "email": "hunter2", "password": "hunter2"}),
        ("/auth/reset-password", {"token": {"hunter2": 1}, "new_password": "hunter2"}),
        ("/auth/refresh", "hunter2"),
    ],
)
async def test_S38_a_field_that_is_not_valid_is_named_and_not_echoed(api: Api, path: str, body: Any) -> None:
    answer = await api.post(path, body)
    assert_is_problem(answer, 422, f"/api/v1{path}")
    errors = answer.json()["errors"]
    assert {frozenset(error) for error in errors} == {frozenset({"loc", "msg", "type"})}
    assert all(error["loc"][0] == "body" and error["msg"] for error in errors)
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/auth/login", {"username": "a"}, "password: Field required."),
        ("/auth/login", {}, "username: Field required; password: Field required."),
        (
            "/auth/register",
            {"first_name": 1, "last_name": 1},
            "username: Field required; email: Field required; password: Field required; and 2 more fields.",
        ),
        ("/auth/login", [], "The body must be a JSON object, with the header Content-Type: application/json."),
        ("/auth/login", None, "body: Field required."),
        ("/llm/explain", {"question": "why?", "max_tokens": True}, "max_tokens: must be a number."),
    ],
)
async def test_S38_the_detail_names_the_fields(api: Api, path: str, body: Any, detail: str) -> None:
    answer = await (api.client.post(f"/api/v1{path}") if body is None else api.post(path, body))
    assert (answer.json()["detail"], answer.json()["code"]) == (detail, "validation_failed")


async def test_S38_the_detail_names_a_parameter(api: Api) -> None:
    answer = await api.get("/tasks/1/result?timeout=31")
    assert answer.json()["detail"] == "timeout: Input should be less than or equal to 30."


async def test_S38_broken_json_is_called_so(api: Api) -> None:
    answer = await api.client.post(LOGIN, content=b'{"username": "a",}', headers=JSON)
    assert_is_problem(answer, 422, LOGIN)
    problem = answer.json()
    assert problem["code"] == "invalid_json"
    assert problem["detail"].startswith("The body is not valid JSON: ")
    assert problem["errors"] == [{"loc": ["body"], "msg": "Invalid JSON", "type": "json_invalid"}]


async def test_the_root_links_to_what_there_is(service_settings: Callable[..., Settings]) -> None:
    settings = service_settings(environment="development")
    async with running(application(settings), settings) as api:
        links = (await api.client.get("/")).json()["links"]
        assert list(links) == ["docs", "openapi", "playground", "health"]
        for path in links.values():
            assert (await api.client.get(path)).status_code == 200


async def test_S38_wrong_paths_and_methods_have_codes_and_say_what_to_do(api: Api) -> None:
    unknown = (await api.client.get("/nothing/here")).json()
    assert (unknown["code"], unknown["detail"]) == ("not_found", "There is nothing at this path.")
    wrong_method = (await api.client.patch("/api/v1/auth/me")).json()
    assert (wrong_method["code"], wrong_method["detail"]) == (
        "method_not_allowed",
        "This path supports GET, HEAD, PUT.",
    )


JSON = {"Content-Type": "application/json"}
LOGIN = "/api/v1/auth/login"


async def test_S38_an_unexpected_error_says_nothing_of_itself(service_settings: Callable[..., Settings]) -> None:
    broken = APIRouter()

    @broken.get("/broken")
    async def fail() -> dict[str, str]:
        raise RuntimeError("SELECT secret FROM db.internal.example")

    @broken.get("/teapot")
    async def teapot() -> dict[str, str]:
        raise HTTPException(418, "short and stout", headers={"X-Spout": "yes"})

    settings = service_settings()
    async with running(application(settings, broken), settings) as api:
        answer = await api.get("/broken")
        assert_is_problem(answer, 500, "/api/v1/broken")
        assert answer.headers["connection"] == "close", "the server closes it, and the caller must know"
        assert "secret" not in answer.text
        assert "example" not in answer.text
        odd = await api.get("/teapot")
        assert_is_problem(odd, 418, "/api/v1/teapot")
        assert odd.headers["x-spout"] == "yes"


async def test_S38_the_log_line_of_an_unexpected_error_is_not_as_long_as_its_path(
    service_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = APIRouter()

    @broken.get("/broken/{rest}")
    async def fail(rest: str) -> dict[str, str]:
        raise RuntimeError(rest[:1])

    lines = log_lines_of(errors, monkeypatch)
    settings = service_settings()
    async with running(application(settings, broken), settings) as api:
        assert (await api.get("/broken/" + "x" * 5_000)).status_code == 500
    (line,) = lines
    assert line["event"] == "unhandled_exception"
    assert line["path"] == f"/api/v1/broken/{'x' * 241}… (5015 characters)"


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/nothing", "mysql://nobody@127.0.0.1:1/nothing"])
async def test_S38_a_database_that_is_down_is_a_problem_without_its_address(start_app: AppFactory, url: str) -> None:
    async with start_app(environment="production", secret_key="s" * 32, database_url=url) as api:
        registration = new_registration()
        for path in ("/auth/login", "/auth/register"):
            answer = await api.post(path, registration)
            assert_is_problem(answer, 503, f"/api/v1{path}")
            assert answer.json()["code"] == "database_unavailable"
            assert "127.0.0.1" not in answer.text
            assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("path", ["/auth/register", "/auth/login", "/auth/token"])
async def test_S39_a_body_that_is_too_large_is_refused(start_app: AppFactory, path: str) -> None:
    async with start_app(max_body_bytes=4096) as api:
        body = b'{"username": "' + b"x" * 5000 + b'"}'

        async def in_pieces() -> Any:
            for start in range(0, len(body), 1000):
                yield body[start : start + 1000]

        kind = {"Content-Type": "application/x-www-form-urlencoded"} if path == "/auth/token" else JSON
        for content in (body, in_pieces()):
            answer = await api.client.post(f"/api/v1{path}", content=content, headers=kind)
            assert_is_problem(answer, 413, f"/api/v1{path}")
            assert answer.json()["code"] == "body_too_large"
            # The rest is not read, so that the connection cannot go on.
            assert answer.headers["connection"] == "close"


async def test_S39_no_caller_makes_time_series_of_their_own(api: Api) -> None:
    await api.client.request("INVENTED", "/an/invented/path")
    metrics = (await api.client.get("/metrics")).text
    assert 'method="OTHER"' in metrics
    assert "INVENTED" not in metrics
    assert "/an/invented/path" not in metrics


async def test_S39_a_body_is_as_large_as_its_route_needs(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAX_BODY_BYTES", "MAX_FORM_BYTES"):
        monkeypatch.delenv(name, raising=False)
    assert Settings(_env_file=None).max_body_bytes == api.settings.max_body_bytes == 1024 * 1024
    assert Settings(_env_file=None).max_form_bytes == api.settings.max_form_bytes == 16 * 1024
    start, end = b'{"username": "nobody", "password": "', b'"}'
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for path, kind, limit in (
        (LOGIN, JSON, 16 * 1024),
        ("/api/v1/auth/token", form, 16 * 1024),
        ("/api/v1/llm/explain", form, 16 * 1024),
        ("/api/v1/llm/explain", JSON, 1024 * 1024),
    ):
        for size, status in ((limit, 422), (limit + 1, 413)):
            body = start + b"x" * (size - len(start) - len(end)) + end
            assert_is_problem(await api.client.post(path, content=body, headers=kind), status, path)


def every_encoding() -> list[str]:
    """Whatever Python decodes with, by name: its own codecs and their aliases."""
    return sorted({*aliases.aliases, *aliases.aliases.values(), "idna", "punycode", "undefined", "unicode_escape"})


async def test_S39_a_form_is_decoded_by_no_codec_of_the_callers_choice(api: Api) -> None:
    path = "/api/v1/auth/token"
    name = new_name().encode()
    field = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    multipart = field % (b"username", name) + field % (b"password", name) + b"--x--\r\n"
    urlencoded = b"username=%s&password=%s" % (name, name)
    for encoding in [None, *every_encoding()]:
        for kind, body in (
            ("multipart/form-data; boundary=x", multipart),
            ("application/x-www-form-urlencoded", urlencoded),
        ):
            content_type = kind if encoding is None else f"{kind}; charset={encoding}"
            answer = await api.client.post(path, content=body, headers={"Content-Type": content_type})
            is_utf_8 = encoding is None or encoding in {"utf8", "utf-8"}
            assert_is_problem(answer, 401 if is_utf_8 else 415, path)


@pytest.mark.parametrize(
    "field",
    [b"%" * 16000, b"%41" * 5000, b"a=b&" * 4000, b"&" * 16000, b"+" * 16000, b"\xff" * 16000, b"%ff" * 5000],
)
async def test_S39_reading_a_form_takes_no_long_turn_of_the_loop(api: Api, field: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    worked_ms = []
    for _ in range(3):
        start_s = time.thread_time()
        answer = await api.client.post("/api/v1/auth/token", content=b"username=" + field, headers=headers)
        worked_ms.append((time.thread_time() - start_s) * 1000)
        assert answer.status_code in {400, 422}
    assert min(worked_ms) < 50


async def test_S39_a_slow_body_takes_no_slot_from_others(start_app: AppFactory) -> None:
    async with start_app(max_concurrent_requests=1, max_queued_requests=0) as api, anyio.create_task_group() as group:

        async def unfinished() -> AsyncIterator[bytes]:
            yield b'{"username": "nobody", '
            await anyio.sleep_forever()

        for _ in range(20):
            group.start_soon(partial(api.client.post, LOGIN, content=unfinished(), headers=JSON))
        await anyio.wait_all_tasks_blocked()
        for _ in range(5):
            assert (await api.client.get("/")).status_code == 200
            refused = await api.client.post(LOGIN, json={"username": new_name(), "password": "hunter2secret"})
            assert refused.status_code == 401
        group.cancel_scope.cancel()


async def test_S39_a_redirect_leads_nowhere_but_here(start_app: AppFactory) -> None:
    async with start_app(max_concurrent_requests=1) as api:
        for path, target in (
            ("/metrics/", "/metrics"),
            ("/api/v1/health", "/api/v1/health/"),
            ("/api/v1/health?a=b%20c&d", "/api/v1/health/?a=b%20c&d"),
            ("/api/v1/tasks/a%20b%0d%0a/status/", "/api/v1/tasks/a%20b%0D%0A/status"),
            ("/api/v1/tasks/%2f%2fevil.example/status/", None),
        ):
            for host in ("evil.example", "evil.example/x?y", "a@evil.example:80", ""):
                answer = await api.client.get(path, headers={"Host": host, "X-Forwarded-Host": "evil.example"})
                assert answer.headers.get("location") == target
                assert answer.status_code == (404 if target is None else 307)


async def test_S39_a_request_that_names_two_hosts_is_refused(start_app: AppFactory) -> None:
    async with start_app() as api:
        for path in ("/", "/api/v1/health/ping"):
            for hosts in (["testserver", "evil.example"], ["testserver", "testserver"]):
                answer = await api.client.get(path, headers=[("Host", host) for host in hosts])
                assert_is_problem(answer, 400, path)
                assert answer.json()["code"] == "ambiguous_host"


async def test_S39_an_unknown_host_is_refused(start_app: AppFactory) -> None:
    async with start_app(allowed_hosts=["testserver", "*.example.com"]) as api:
        for host, status in (
            ("testserver", 200),
            ("TestServer:80", 200),
            ("api.example.com:8000", 200),
            ("evil.test", 400),
            ("example.com", 400),
            ("10.1.2.3:8000", 400),
            ("localhost", 400),
            ("", 400),
        ):
            answer = await api.client.get("/", headers={"Host": host})
            assert answer.status_code == status
        assert_is_problem(answer, 400, "/")


async def test_probes_name_whatever_host_they_know_a_process_by_and_may_ask_for_the_head_alone(
    start_app: AppFactory,
) -> None:
    async with start_app(allowed_hosts=["api.example.com"]) as api:
        for path in (*(f"/api/v1/health/{name}" for name in ("", "ping", "live", "ready", "database")), "/metrics"):
            for host in ("10.1.2.3:8000", "localhost", "[::1]:8000", ""):
                answer = await api.client.get(path, headers={"Host": host})
                assert answer.status_code == 200, (path, host)
                head = await api.client.head(path, headers={"Host": host})
                assert head.status_code == 200
                assert head.headers["content-type"] == answer.headers["content-type"]
        for path in ("/", "/openapi.json", "/docs"):
            assert (await api.client.head(path, headers={"Host": "api.example.com"})).status_code == 200
        assert (await api.client.head("/api/v1/auth/login", headers={"Host": "api.example.com"})).status_code == 405


async def test_S39_cors_never_allows_everybody_with_credentials(start_app: AppFactory) -> None:
    asked = {"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"}
    async with start_app() as api:
        answer = await api.client.options("/api/v1/auth/login", headers=asked)
        assert "access-control-allow-origin" not in answer.headers
    async with start_app(cors_origins=["*"]) as api:
        answer = await api.client.options("/api/v1/auth/login", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
    async with start_app(cors_origins=["https://app.example.com"]) as api:
        refused = await api.client.options("/api/v1/auth/login", headers=asked)
        assert "access-control-allow-origin" not in refused.headers
        allowed = await api.client.options("/api/v1/auth/login", headers=asked | {"Origin": "https://app.example.com"})
        assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
        answer = await api.client.get("/api/v1/auth/me", headers={"Origin": "https://app.example.com"})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
        assert answer.headers["access-control-expose-headers"] == "Retry-After, X-Request-ID"


async def test_S36_production_shows_no_documentation(start_app: AppFactory) -> None:
    async with start_app(environment="production", secret_key="s" * 32) as api:
        for path in ("/docs", "/docs/swagger-ui-bundle.js", "/redoc", "/openapi.json"):
            assert_is_problem(await api.client.get(path), 404, path)
        root = (await api.client.get("/")).json()
        assert (root["docs"], root["links"]) == ("disabled", {"health": "/api/v1/health/"})


async def test_the_openapi_document_resolves_and_knows_only_problems(api: Api) -> None:
    document = (await api.client.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    references = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            references.update([part["$ref"]] if "$ref" in part else [])
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk(document)
    assert {reference.rsplit("/", 1)[1] for reference in references} <= set(schemas)
    assert "HTTPValidationError" not in schemas
    login = document["paths"]["/api/v1/auth/login"]["post"]["responses"]
    assert set(login) == {"200", "400", "401", "408", "413", "415", "422", "429", "503"}
    assert all(set(login[status]["content"]) == {"application/problem+json"} for status in login if status != "200")


async def test_the_openapi_document_names_every_refusal_of_an_ordinary_user(start_app: AppFactory) -> None:
    async with start_app(monitoring_access="superuser", metrics_token="t" * 32) as api:
        tokens = await api.login(await api.register())
        paths = (await api.client.get("/openapi.json")).json()["paths"]
        refused = set()
        for path, operations in paths.items():
            if "get" not in operations:
                continue
            answer = await api.client.get(re.sub(r"\{\w+\}", "nothing", path), headers=tokens.bearer)
            assert str(answer.status_code) in operations["get"]["responses"], (path, answer.text)
            refused.add(answer.status_code)
        assert refused >= {200, 401, 403, 404}
