"""The forms of URL that name a Redis: all mean the same to every client, or are refused at the start in one line."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from redis import Redis

from inference_core.app.stack.ports import free_port, is_listening
from inference_core.app.stack.redis_server import find_redis_server, redis_command
from inference_core.core.queue.app import create_celery
from inference_core.core.queue.sender import TaskSender
from inference_core.core.redis.client import broker_client, open_client
from inference_core.core.redis.cluster import ClusterError, refuse_cluster
from inference_core.core.redis_address import RedisAddress
from inference_core.core.settings import SettingsError
from tests.support import preloaded
from tests.support.processes import redis_server, stop, wait_until
from tests.support.redis_uses import use_everywhere
from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail
from tests.support.service import ROOT, service_env, worker_process
from tests.support.settings import Settings, load_settings, service
from tests.support.tls_proxy import make_certificate, tls_proxy

# On a busy machine, a TLS handshake can take longer than the default.
PATIENCE = {"redis_connect_timeout_s": 30, "redis_timeout_s": 30}
PASSWORD = "p:a/s;s@ %#é"
QUOTED = "p%3Aa%2Fs%3Bs%40%20%25%23%C3%A9"


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """URLs of one Redis by what is special about them; each names the database 2."""
    folder = tmp_path_factory.mktemp("r")
    port, path = free_port(), folder / "redis.sock"
    options = ["--unixsocket", str(path), "--requirepass", PASSWORD]
    with (folder / "log").open("wb") as log:
        command = redis_command(find_redis_server(), port=port, data=folder)
        process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
    try:
        certificate, key = make_certificate(folder)
        wait_until(lambda: is_listening(port) and path.exists(), what="Redis listening")
        with tls_proxy(certificate, key, port) as tls_port:
            login, tls = f"default:{QUOTED}@", f"127.0.0.1:{tls_port}"
            yield {
                "plain": f"redis://{login}127.0.0.1:{port}/2",
                "no user": f"redis://:{QUOTED}@127.0.0.1:{port}/2",
                "database as a parameter": f"redis://{login}127.0.0.1:{port}?db=2",
                "database twice": f"redis://{login}127.0.0.1:{port}/2?db=2",
                "socket": f"unix://{login}{path}?db=2",
                "socket as kombu writes it": f"redis+socket://{login}{path}?virtual_host=2",
                "TLS with a CA": f"rediss://{login}{tls}/2?ssl_ca_certs={certificate}",
                "TLS, as Celery asks for it": f"rediss://{login}{tls}/2?ssl_ca_certs={certificate}&ssl_cert_reqs=CERT_REQUIRED",
                "TLS to whomever": f"rediss://{login}{tls}/2?ssl_cert_reqs=none",
                "TLS not to be trusted": f"rediss://{login}{tls}/2",
            }
    except ServerUnavailableError as error:
        skip_or_fail(error)
    finally:
        stop(process)


GOOD = [
    *("plain", "no user", "database as a parameter", "database twice", "socket", "socket as kombu writes it"),
    *("TLS with a CA", "TLS, as Celery asks for it", "TLS to whomever"),
]


@pytest.mark.anyio
@pytest.mark.parametrize("form", GOOD)
async def test_a_form_serves_the_api_the_broker_and_the_results(form: str, forms: dict[str, str]) -> None:
    settings = Settings(_env_file=None, redis_url=forms[form], redis_prefix=f"form{GOOD.index(form)}", **PATIENCE)
    keys = await use_everywhere(settings)
    with broker_client(settings) as everything, Redis.from_url(forms["plain"], decode_responses=True) as database_2:
        assert everything.llen("default") == 1
        assert set(database_2.keys(f"{settings.key_prefix}*")) >= keys


@pytest.mark.anyio
async def test_a_certificate_nobody_vouches_for_is_refused_by_default(forms: dict[str, str]) -> None:
    settings = Settings(_env_file=None, redis_url=forms["TLS not to be trusted"], **PATIENCE)
    async with open_client(settings, settings.redis_url) as client:
        with pytest.raises(Exception, match=r"certificate verify failed|CERTIFICATE_VERIFY_FAILED"):
            await client.ping()
    with pytest.raises(Exception, match=r"certificate verify failed|CERTIFICATE_VERIFY_FAILED"):
        create_celery(service, settings, "worker").backend.client.ping()


@pytest.mark.full
@pytest.mark.parametrize("form", ["socket", "TLS with a CA"])
def test_a_worker_does_tasks_over_it(form: str, forms: dict[str, str], tmp_path: Path) -> None:
    env = service_env(tmp_path, forms[form], REDIS_PREFIX="worker")
    settings = Settings(_env_file=None, redis_url=forms[form], redis_prefix="worker")

    async def send() -> str:
        async with TaskSender.open(service, settings) as sender:
            return await sender.send("test.add", 1, 2)

    with worker_process(tmp_path, env, "w1", "--queues=default"), broker_client(settings) as redis:
        task_id = asyncio.run(send())
        wait_until(lambda: redis.exists(f"celery-task-meta-{task_id}"), within_s=60, what="the result")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://", "redis://localhost:6379/0"),
        ("redis://h", "redis://h:6379/0"),
        ("redis://h/", "redis://h:6379/0"),
        ("redis://h?db=3", "redis://h:6379/3"),
        ("redis://h?virtual_host=3", "redis://h:6379/3"),
        ("redis://[::1]:7/1", "redis://[::1]:7/1"),
        ("redis://user@h", "redis://user:@h:6379/0"),
        (f"redis://u:{QUOTED}@h", f"redis://u:{QUOTED}@h:6379/0"),
        ("unix:///run/r.sock", "unix:///run/r.sock?db=0"),
        ("unix://u:p@/run/a b.sock?db=1", "unix://u:p@/run/a%20b.sock?db=1"),
        ("redis+socket:///run/r.sock?virtual_host=4", "unix:///run/r.sock?db=4"),
        ("rediss://h", "rediss://h:6379/0?ssl_cert_reqs=required&ssl_check_hostname=true"),
        ("rediss://h?ssl_cert_reqs=CERT_NONE", "rediss://h:6379/0?ssl_cert_reqs=none&ssl_check_hostname=false"),
    ],
)
def test_each_form_is_written_in_one_way(url: str, expected: str) -> None:
    assert RedisAddress.parse(url).url == expected
    assert RedisAddress.parse(expected) == RedisAddress.parse(url)
    assert RedisAddress.parse(RedisAddress.parse(url).celery_url) == RedisAddress.parse(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sentinel://h/m", "sentinel://h:26379/m?db=0"),
        ("sentinel://h1,h2:7,[::1],[fe80::2]:9/m", "sentinel://h1:26379,h2:7,[::1]:26379,[fe80::2]:9/m?db=0"),
        ("sentinel://u:p@h1, h2:7 ,\th3/m", "sentinel://u:p@h1:26379,h2:7,h3:26379/m?db=0"),
        ("sentinel://h1,h2/my.master-1_a?db=2", "sentinel://h1:26379,h2:26379/my.master-1_a?db=2"),
        ("sentinel://h/m/2", "sentinel://h:26379/m?db=2"),
        (f"sentinel://u:{QUOTED}@h/m", f"sentinel://u:{QUOTED}@h:26379/m?db=0"),
        ("sentinel://h/m?sentinel_password=w%26%23", "sentinel://h:26379/m?db=0&sentinel_password=w%26%23"),
        ("sentinel://h/m?sentinel_username=u", "sentinel://h:26379/m?db=0&sentinel_username=u"),
        (
            "sentinels://:p@h/m?ssl_cert_reqs=none",
            "sentinels://:p@h:26379/m?db=0&ssl_cert_reqs=none&ssl_check_hostname=false",
        ),
    ],
)
def test_a_url_of_sentinels_is_written_in_one_way(url: str, expected: str) -> None:
    address = RedisAddress.parse(url)
    assert address.url == expected
    assert RedisAddress.parse(expected) == address
    assert not any(login in address.display + repr(address) for login in (QUOTED, PASSWORD, ":p@", "=w"))


def test_the_logins_of_sentinels_and_servers_are_separate() -> None:
    address = RedisAddress.parse("sentinel://u:p@h1,h2/m?sentinel_username=su&sentinel_password=sp")
    assert (address.username, address.password, address.master) == ("u", "p", "m")
    assert {(one.username, one.password) for one in address.sentinels} == {("su", "sp")}
    without = RedisAddress.parse("sentinel://u:p@h1,h2/m")
    assert {(one.username, one.password) for one in without.sentinels} == {("", "")}


REFUSED = [
    "localhost:6379",
    "http://h",
    "sentinel://h",
    "sentinel://h/",
    "sentinel:///m",
    "sentinel://h1,,h2/m",
    "sentinel://h1,h2:port/m",
    "sentinel://h1,h2:0/m",
    "sentinel://h1,[::1/m",
    "sentinel://h1:26379/0;sentinel://h2:26379/0",
    "sentinel://h1;h2/m",
    "sentinel://h/two%20words",
    "sentinel://h/m/one",
    "sentinel://h/m/1?db=2",
    "sentinel://h/m?master_name=m",
    "sentinel://h/m?ssl_cert_reqs=none",
    "sentinel://u:secret#word@h/m",
    "sentinels://h/m?ssl_ca_certs=/no/such/file",
    "redis://h?sentinel_password=secret",
    "redis://h:port/0",
    "redis://h:99999/0",
    "redis://h/one",
    "redis://h/-1",
    "redis://h/1?db=2",
    "redis://h/1/2",
    "redis://h?db=",
    "redis://h?db=1.5",
    "redis://h?protocol=3",
    "redis://h?ssl_cert_reqs=none",
    "redis://u:secret#word@h",
    "redis://[::1",
    "rediss://h?ssl_cert_reqs=maybe",
    "rediss://h?ssl_ca_certs=/no/such/file",
    "rediss://h?ssl_cert_reqs=none&ssl_check_hostname=true",
    "rediss://h?ssl_check_hostname=perhaps",
    "unix://run/r.sock",
    "unix://",
    "unix:///",
    "unix://./r.sock",
]


@pytest.mark.parametrize("url", REFUSED)
@pytest.mark.parametrize("variable", ["REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"])
def test_any_other_form_is_refused_in_one_line_without_its_secrets(
    url: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, url)
    with pytest.raises(SettingsError) as raised:
        load_settings(None)
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"settings: {variable}: ")
    assert "secret" not in line


def cluster_server(folder: Path) -> AbstractContextManager[tuple[str, subprocess.Popen[bytes]]]:
    """A Redis of a cluster. Its bus has a port of its own: the default, 10,000 above the server's, can be too high."""
    return redis_server(folder, None, "--cluster-enabled", "yes", "--cluster-port", str(free_port()))


@pytest.mark.parametrize("variable", ["REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"])
def test_a_cluster_is_refused(variable: str, tmp_path: Path, redis_url: str) -> None:
    with cluster_server(tmp_path / "cluster") as (url, _):
        given = {"redis_url": redis_url, variable.lower(): url.removesuffix("/0")}
        with pytest.raises(ClusterError) as raised:
            refuse_cluster(Settings(_env_file=None, **given))
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"{variable}: the server is a Redis Cluster, which is not supported; use ")


def test_an_ordinary_server_and_one_that_is_away_are_no_cluster(redis_url: str) -> None:
    refuse_cluster(Settings(_env_file=None, redis_url=redis_url, celery_broker_url="redis://127.0.0.1:1"))


@pytest.mark.full
def test_api_and_worker_end_in_one_line_on_a_cluster(tmp_path: Path) -> None:
    with cluster_server(tmp_path / "cluster") as (url, _):
        env = service_env(tmp_path, url)
        worker = ["celery", "-A", "inference_core.celery.celery_main:celery_app", "worker"]
        api = ["uvicorn", "inference_core.main:app", "--port", str(free_port())]
        for command in (worker, api):
            ended = preloaded.run([sys.executable, "-m", *command], env=env, cwd=ROOT)
            assert ended.returncode != 0
            assert "REDIS_URL: the server is a Redis Cluster" in ended.stderr
            assert "Traceback" not in ended.stderr


@pytest.mark.full
def test_a_worker_ends_in_the_same_line(tmp_path: Path) -> None:
    env = service_env(tmp_path, "redis://h/one")
    command = [sys.executable, "-m", "celery", "-A", "inference_core.celery.celery_main:celery_app", "worker"]
    ended = preloaded.run(command, env=env, cwd=ROOT)
    assert ended.returncode == 1
    assert ended.stderr.strip() == "settings: REDIS_URL: has a database that is not a number (environment or .env)"
