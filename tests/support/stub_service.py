"""A stand-in that answers the suite's requests as the service would, but as slowly and as wrongly as it is told.

Run as `python -m tests.support.stub_service --port N [--delay-ms health=150] [--fail-every 50] [--die-after 100]
[--workers 0] [--spoil register=refuse] [--llm live|late|miscounting|endless|undeclared]`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from inference_core.app.stack.ports import free_port, is_listening
from tests.support import preloaded
from tests.support.processes import stop, wait_until
from tests.support.stub_llm import StubLLM

NOW = "2026-01-01T00:00:00Z"
SNAPSHOT = {"as_of": NOW, "age_ms": 1}
DONE = {"success": True, "message": "done", "timestamp": NOW}
HEALTHY = {"status": "healthy", "checked_at": NOW}


class Stub:
    """The answers, the misbehaviour, and the accounts that have signed up."""

    def __init__(
        self,
        *,
        delays_ms: dict[str, float],
        fail_every: int,
        die_after: int,
        llm: str = "",
        workers: int = 1,
        spoiled: dict[str, str] | None = None,
    ) -> None:
        self.spoiled = dict(spoiled or {})
        self.fixed = FIXED | {"/api/v1/tasks/health": FIXED["/api/v1/tasks/health"] | {"active_workers": workers}}
        self.llm = StubLLM(llm)
        self.delays_ms = delays_ms
        self.fail_every = fail_every
        self.die_after = die_after
        self.count = itertools.count(1)
        self.accounts: dict[str, dict[str, Any]] = {}
        self.passwords: dict[str, str] = {}
        self.sessions: dict[str, str] = {}

    async def answer(self, request: Request) -> Response:
        number = next(self.count)
        if self.die_after and number > self.die_after:
            os._exit(3)
        path = request.url.path
        if path.startswith("/api/v1/llm/") or path.endswith("/result"):
            return await self.llm.answer(request)
        group = path.split("/")[3] if path.startswith("/api/v1/") else "health"
        await asyncio.sleep(self.delays_ms.get(group, 0.0) / 1000)
        if self.fail_every and number % self.fail_every == 0:
            return JSONResponse({"detail": "as told"}, 500)
        if path == "/docs":
            return HTMLResponse("<title>Swagger UI</title>")
        if group == "auth":
            return await self.spoiled_auth(request, path.rsplit("/", 1)[1])
        return JSONResponse(self.fixed[path])

    async def spoiled_auth(self, request: Request, call: str) -> Response:
        match self.spoiled.pop(call, None):
            case "refuse":
                return JSONResponse({"detail": "refused as told"}, 503)
            case "lose":
                await self.auth(request, call)
                return JSONResponse({"detail": "lost as told"}, 504)
            case "forget":
                self.accounts.clear()
        return await self.auth(request, call)

    async def auth(self, request: Request, call: str) -> Response:
        body = await request.json() if request.method in {"POST", "PUT"} else {}
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        match call:
            case "register":
                account = {"id": secrets.token_hex(4), **{k: v for k, v in body.items() if k != "password"}}
                self.accounts[body["username"]] = self.accounts[body["email"]] = account
                self.passwords[body["username"]] = body["password"]
                return JSONResponse(account, 201)
            case "login":
                name = self.accounts.get(body["username"], {"username": ""})["username"]
                is_right = self.passwords.get(name) == body["password"]
                return JSONResponse(self.tokens(name)) if is_right else JSONResponse({"detail": "wrong"}, 401)
            case "refresh":
                return JSONResponse(self.tokens(self.sessions[body["refresh_token"]]))
            case "me":
                account = self.accounts[self.sessions[token]]
                account.update(body)
                return JSONResponse(account)
            case _:
                is_right = "current_password" not in body or self.change_password(self.sessions[token], body)
                return JSONResponse(DONE) if is_right else JSONResponse({"detail": "wrong"}, 400)

    def change_password(self, username: str, body: dict[str, Any]) -> bool:
        if self.passwords[username] != body["current_password"]:
            return False
        self.passwords[username] = body["new_password"]
        return True

    def tokens(self, username: str) -> dict[str, Any]:
        access, refresh = secrets.token_hex(8), secrets.token_hex(8)
        self.sessions |= {access: username, refresh: username}
        return {"access_token": access, "refresh_token": refresh, "token_type": "bearer", "expires_in": 1800}


FIXED: dict[str, dict[str, Any]] = {
    "/": {"message": "hello", "version": "0", "environment": "testing", "docs": "/docs"},
    "/api/v1/health/": {
        "status": "healthy",
        "version": "0",
        "timestamp": NOW,
        "components": dict.fromkeys(("database", "application", "redis", "tasks", "llm"), HEALTHY),
    },
    "/api/v1/health/database": {"status": "healthy", "details": {"dialect": "none"}, "last_updated": NOW},
    "/api/v1/health/ping": {"message": "pong", "timestamp": NOW, "status": "ok"},
    "/api/v1/tasks/health": {"status": "healthy", "active_workers": 1, "celery_available": True} | SNAPSHOT,
    "/api/v1/tasks/workers/stats": {"stats": {}, "ping": {"w": {"ok": "pong"}}, "registered": {}} | SNAPSHOT,
    "/api/v1/my/endpoint": {},
    "/api/v1/tasks/active": {"active": {}, "scheduled": {}, "reserved": {}} | SNAPSHOT,
}


@contextmanager
def stub_service(folder: Path, *arguments: str) -> Iterator[str]:
    """A running stub; gives its URL."""
    port = free_port()
    with (folder / "stub.log").open("wb") as log:
        command = [sys.executable, "-m", "tests.support.stub_service", "--port", str(port), *arguments]
        process = preloaded.start(command, cwd=preloaded.ROOT, env=os.environ, stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None or is_listening(port), within_s=30, what="the stub listening")
        assert process.poll() is None, (folder / "stub.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay-ms", action="append", default=[], metavar="GROUP=MS")
    parser.add_argument("--fail-every", type=int, default=0)
    parser.add_argument("--die-after", type=int, default=0)
    parser.add_argument("--spoil", action="append", default=[], metavar="CALL=refuse|lose|forget")
    parser.add_argument("--llm", default="")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    delays = {group: float(ms) for group, _, ms in (text.partition("=") for text in options.delay_ms)}
    spoiled = dict(text.split("=") for text in options.spoil)
    stub = Stub(
        delays_ms=delays,
        fail_every=options.fail_every,
        die_after=options.die_after,
        llm=options.llm,
        workers=options.workers,
        spoiled=spoiled,
    )
    app = Starlette(routes=[Route("/{path:path}", stub.answer, methods=["GET", "POST", "PUT"])])
    uvicorn.run(app, host="127.0.0.1", port=options.port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
