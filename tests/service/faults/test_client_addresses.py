"""The addresses of clients behind a real HAProxy and a real nginx, which reach the API from addresses of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from inference_core.app.stack.ports import LOOPBACK, free_port
from tests.support.accounts import PASSWORD, new_registration
from tests.support.servers.proxies import installed, running_proxy
from tests.support.service import PREFIX, ApiProcess, api_process, service_env

pytestmark = pytest.mark.full

PROXY = "127.0.5.5"
ATTACKER, OWNER = "127.0.9.9", "127.0.7.7"
FORGED = {"X-Forwarded-For": "127.0.7.7", "X-Forwarded-Proto": "https", "Forwarded": "for=127.0.7.7;proto=https"}
HAPROXY = """
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
frontend public
    bind {listen}
    http-request del-header Forwarded
    option forwardfor
    http-request set-header X-Forwarded-Proto https
    default_backend api
backend api
    server one {api} source {source}
"""
NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen {listen};
        location / {{
            proxy_pass http://{api};
            proxy_bind {source};
            proxy_set_header Host $host:$server_port;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto https;
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Proxied:
    """An API behind a proxy."""

    api: ApiProcess
    port: int

    def client(self, address: str) -> httpx2.Client:
        transport = httpx2.HTTPTransport(local_address=address, trust_env=False)
        return httpx2.Client(transport=transport, base_url=f"http://{LOOPBACK}:{self.port}", headers=FORGED)

    def logged(self, event: str) -> list[dict[str, Any]]:
        lines = (line for line in self.api.log.read_text().splitlines() if line.startswith("{"))
        return [record for line in lines if (record := json.loads(line))["event"] == event]


@pytest.fixture(scope="module", params=["haproxy", "nginx"])
def proxied(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> Iterator[Proxied]:
    """An API that trusts its proxy. uvicorn is told to trust everybody, which has no effect."""
    program = installed(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    env = service_env(folder, redis_url, LOG_FORMAT="json", LOGIN_FAILURES_ALLOWED="3", TRUSTED_PROXIES=PROXY)
    with api_process(folder, {**env, "FORWARDED_ALLOW_IPS": "*"}) as api:
        proxied = Proxied(api, free_port())
        with running_proxy(_command(program, folder, proxied), proxied.port):
            yield proxied


def _command(program: str, folder: Path, proxied: Proxied) -> list[str | Path]:
    text = HAPROXY if program.endswith("haproxy") else NGINX
    places = {"listen": f"{LOOPBACK}:{proxied.port}", "api": f"{LOOPBACK}:{proxied.api.port}", "source": PROXY}
    configuration = folder / "proxy.conf"
    configuration.write_text(text.format(folder=folder, **places))
    if program.endswith("haproxy"):
        return [program, "-db", "-f", configuration]
    return [program, "-p", folder, "-e", folder / "error.log", "-c", configuration]


def test_whoever_guesses_behind_a_proxy_locks_out_nobody_else_and_cannot_forge_an_address(proxied: Proxied) -> None:
    account = new_registration()
    wrong = {"username": account["username"], "password": "TheWrongSecret1"}
    with proxied.client(OWNER) as owner, proxied.client(ATTACKER) as attacker:
        assert owner.post(f"{PREFIX}/auth/register", json=account).status_code == 201
        statuses = [attacker.post(f"{PREFIX}/auth/login", json=wrong).status_code for _ in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        right = owner.post(f"{PREFIX}/auth/login", json={**wrong, "password": PASSWORD})
        assert right.status_code == 200
        bearer = {"Authorization": f"Bearer {right.json()['access_token']}"}
        (session,) = owner.get(f"{PREFIX}/auth/sessions", headers=bearer).json()
        assert session["address"] == OWNER
    assert {entry["ip"] for entry in proxied.logged("login_failed")} == {ATTACKER}


def test_the_scheme_is_that_of_the_proxy_and_redirects_lead_to_no_other(proxied: Proxied) -> None:
    with proxied.client(ATTACKER) as client:
        seen = client.get(f"{PREFIX}/test/client", headers={"X-Forwarded-Host": "evil.example"}).json()
        assert seen == {"address": ATTACKER, "base_url": f"https://127.0.0.1:{proxied.port}/"}
        redirect = client.post(f"{PREFIX}/auth/login/", json={})
        assert (redirect.status_code, redirect.headers["location"]) == (307, f"{PREFIX}/auth/login")


def test_a_peer_that_is_no_trusted_proxy_changes_nothing_and_is_logged_once(proxied: Proxied) -> None:
    for _ in range(2):
        seen = httpx2.get(f"{proxied.api.url}{PREFIX}/test/client", headers=FORGED, trust_env=False).json()
        assert seen == {"address": LOOPBACK, "base_url": f"{proxied.api.url}/"}
    (warning,) = proxied.logged("forwarding_headers_ignored")
    assert warning["peer"] == LOOPBACK
    assert "TRUSTED_PROXIES" in warning["detail"]
    (ignored,) = proxied.logged("forwarded_allow_ips_ignored")
    assert "TRUSTED_PROXIES" in ignored["detail"]
