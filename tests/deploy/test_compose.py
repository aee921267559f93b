"""Test the Compose file of the service without a container engine."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis import Redis
from redis.exceptions import AuthenticationError

from inference_core.app.stack.ports import LOOPBACK, free_port, is_listening
from inference_core.app.stack.redis_server import find_redis_server
from inference_core.service import service
from tests.loadgate.runner.cluster.schema import compose_problems
from tests.support import deployment
from tests.support.compose_files import VARIABLE, MissingVariableError
from tests.support.deploy_tools import DEPLOY, debian_tool, deploy_tool, output_of
from tests.support.deployment import GIVEN, SECRETS, compose
from tests.support.dockerfile import read_dockerfile
from tests.support.processes import stop, wait_until
from tests.support.stack import ROOT

FILE = DEPLOY / "compose.yaml"
# Connections of a process for single rows, beside those of the pool: .env.example describes them.
POINT_CONNECTIONS = 16


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    read: dict[str, Any] = compose()["services"]
    return read


def of_the_service(services: dict[str, Any]) -> dict[str, Any]:
    """Return the containers that run the image of the service."""
    return {name: item for name, item in services.items() if item["image"] == deployment.image_name()}


def workers(services: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in services.items() if "worker" in item.get("command", [])}


def apis(services: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in of_the_service(services).items() if "command" not in item}


def test_compose_accepts_the_file_with_and_without_variables() -> None:
    assert compose_problems(yaml.safe_load(FILE.read_text())) == []
    assert compose_problems(compose()) == []


def test_all_parts_run_the_same_image_which_is_built_once(services: dict[str, Any]) -> None:
    parts = of_the_service(services)
    assert set(parts) == {"migrate", "api-1", "api-2", "worker-default", "worker-mail", "worker-llm", "beat"}
    (builder,) = [item["build"] for item in parts.values() if "build" in item]
    assert (FILE.parent / builder["context"]).resolve() == ROOT
    assert (ROOT / builder["dockerfile"]).exists()


def test_every_variable_is_a_setting_and_the_service_accepts_its_value(services: dict[str, Any]) -> None:
    for name, item in of_the_service(services).items():
        assert set(item["environment"]) <= deployment.setting_names(), name
        settings = deployment.settings_from(item["environment"])
        assert settings.is_production
        assert settings.use_dedicated_queues


def test_each_queue_has_a_worker(services: dict[str, Any]) -> None:
    taken = [queue for item in workers(services).values() for queue in deployment.queues_of(item["command"])]
    assert sorted(taken) == sorted(service.queues)


def test_one_beat_and_one_migration_run(services: dict[str, Any]) -> None:
    commands = [item.get("command") for item in services.values()]
    assert commands.count(["inference-core", "beat"]) == 1
    assert commands.count(["inference-core", "migrate"]) == 1
    assert services["migrate"]["restart"] == "no"
    for name, item in of_the_service(services).items():
        if name != "migrate":
            assert item["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_all_parts_use_pgbouncer(services: dict[str, Any]) -> None:
    urls = {item["environment"]["DATABASE_URL"] for item in of_the_service(services).values()}
    assert urls == {f"postgresql://service:{SECRETS['POSTGRES_PASSWORD']}@pgbouncer:6432/service"}


def test_processes_have_the_time_to_end_that_their_settings_give_them(services: dict[str, Any]) -> None:
    for item in apis(services).values():
        settings = deployment.settings_from(item["environment"])
        assert item["stop_grace_period"] == f"{deployment.api_stops_within_s(settings)}s"
    for item in workers(services).values():
        settings = deployment.settings_from(item["environment"])
        assert item["stop_grace_period"] == f"{deployment.worker_stops_within_s(settings)}s"


def test_the_proxy_sends_requests_to_each_api(services: dict[str, Any]) -> None:
    proxy = services["proxy"]["environment"]
    port = read_dockerfile(DEPLOY / "Dockerfile")[-1].one("EXPOSE")
    assert proxy["API_ADDRESS"] == f"api:{port}"
    assert int(proxy["API_SERVERS"]) == len(apis(services))
    assert all(item["networks"]["outside"]["aliases"] == ["api"] for item in apis(services).values())
    assert services["proxy"]["ports"] == ["127.0.0.1:8080:80"]


def test_the_service_trusts_the_network_of_the_proxy(services: dict[str, Any]) -> None:
    (network,) = services["proxy"]["networks"]
    (subnet,) = compose()["networks"][network]["ipam"]["config"]
    for item in apis(services).values():
        assert item["environment"]["TRUSTED_PROXIES"] == subnet["subnet"]


def test_health_checks_ask_for_routes_that_exist(services: dict[str, Any]) -> None:
    assert deployment.paths_in({name: item.get("healthcheck") for name, item in services.items()}) <= deployment.paths()
    for item in workers(services).values():
        assert item["healthcheck"]["test"] == ["CMD", "inference-core", "check-worker"]
    for name in ("migrate", "beat"):  # the check of the image asks an API
        assert services[name]["healthcheck"] == {"disable": True}


def test_containers_have_no_rights_and_limits(services: dict[str, Any]) -> None:
    for name, item in services.items():
        assert item["read_only"] is True, name
        assert item["cap_drop"] == ["ALL"], name
        assert item["security_opt"] == ["no-new-privileges:true"], name
        assert item["cpus"] > 0, name
        assert re.fullmatch(r"\d+[mg]", item["mem_limit"]), name
        assert item["pids_limit"] > 0, name
        assert item["logging"]["options"].keys() == {"max-size", "max-file"}, name


def test_data_is_reachable_from_the_service_only(services: dict[str, Any]) -> None:
    assert compose()["networks"]["data"]["internal"] is True
    for name in ("postgres", "pgbouncer", "valkey"):
        assert services[name]["networks"] == ["data"]
        assert "ports" not in services[name]


def test_valkey_evicts_nothing_and_keeps_its_data(services: dict[str, Any]) -> None:
    (command,) = services["valkey"]["command"]
    assert "--maxmemory-policy noeviction" in command
    assert "--appendonly yes" in command
    assert services["valkey"]["volumes"] == ["valkey:/data"]


def test_the_password_of_valkey_is_needed_and_in_no_argument(services: dict[str, Any], tmp_path: Path) -> None:
    port, arguments, program = free_port(), tmp_path / "arguments", tmp_path / "valkey-server"
    program.write_text(
        f'#!/bin/sh\necho "$@" > {arguments}\nexec {find_redis_server()} "$@" --port {port} --bind {LOOPBACK}\n'
    )
    program.chmod(0o755)
    valkey = services["valkey"]
    env = {**os.environ, **valkey["environment"], "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    server = subprocess.Popen(
        [*valkey["entrypoint"], *valkey["command"]], cwd=tmp_path, env=env, stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: server.poll() is not None or is_listening(port), what="the server listening")
        with Redis(port=port) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
        with Redis(port=port, password=SECRETS["REDIS_PASSWORD"]) as client:
            options = {"maxmemory-policy": "noeviction", "appendonly": "yes"}
            assert client.config_get(*options) == options
        assert arguments.read_text().startswith("- --appendonly")
        assert SECRETS["REDIS_PASSWORD"] not in arguments.read_text()
        server.terminate()
        assert server.wait(30) == 0, "the server itself gets the signal"
    finally:
        stop(server)


def test_pgbouncer_has_connections_for_all_processes(services: dict[str, Any]) -> None:
    read = configparser.ConfigParser()
    read.read(DEPLOY / "pgbouncer.ini")
    pooler = read["pgbouncer"]
    assert pooler["listen_port"] == "6432"
    of_postgres = next(part for part in services["postgres"]["command"] if part.startswith("max_connections="))
    assert int(pooler["default_pool_size"]) < int(of_postgres.partition("=")[2])
    processes = len(apis(services))
    for item in workers(services).values():
        processes += 1 + int(item["command"][item["command"].index("--concurrency") + 1])
    settings = deployment.settings_from(services["api-1"]["environment"])
    each = settings.database_pool_size + settings.database_max_overflow + POINT_CONNECTIONS
    assert int(pooler["max_client_conn"]) >= processes * each


def test_files_that_are_mounted_exist(services: dict[str, Any]) -> None:
    mounted = [volume for item in services.values() for volume in item.get("volumes", []) if isinstance(volume, dict)]
    assert mounted
    for volume in mounted:
        assert volume["read_only"] is True
        assert (FILE.parent / volume["source"]).exists(), volume


@pytest.mark.parametrize("name", GIVEN)
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(MissingVariableError, match=f"{name}: set it to "):
        compose({**GIVEN, name: ""})


@pytest.mark.full
@pytest.mark.process
def test_a_value_in_single_quotes_reaches_the_service_unchanged(tmp_path: Path) -> None:
    """As the page says, because Compose replaces variables in these files and removes comments."""
    value = """a$b ${c} #d "e" \\f"""
    variables = tmp_path / "variables"
    lines = [f"{name}='{text}'" for name, text in {**GIVEN, "SMTP_PASSWORD": value}.items()]
    variables.write_text("\n".join(lines))
    command = ["-f", FILE, "--env-file", variables, "config", "--format", "json"]
    read = json.loads(output_of(deploy_tool("docker-compose"), *command, env={"PATH": os.environ["PATH"]}))
    # Compose writes each dollar twice, because it would replace variables again.
    assert read["services"]["api-1"]["environment"]["SMTP_PASSWORD"].replace("$$", "$") == value


def test_no_secret_has_a_default() -> None:
    found = VARIABLE.findall(FILE.read_text())
    secrets = {name for name, _, _ in found if deployment.SECRET.search(name)}
    assert secrets == {*SECRETS, "SMTP_PASSWORD"}
    for name, kind, text in found:
        if name in secrets and kind == "-":
            assert (name, text) == ("SMTP_PASSWORD", "")  # a server in a private network can need none


@pytest.mark.full
@pytest.mark.process
def test_docker_compose_reads_the_file_as_the_tests_do(services: dict[str, Any]) -> None:
    command = [deploy_tool("docker-compose"), "-f", FILE, "--profile", "*", "config"]
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **GIVEN}
    read = yaml.safe_load(output_of(*command, env=env))["services"]
    assert read.keys() == services.keys()
    for name, item in of_the_service(services).items():
        assert read[name]["environment"] == item["environment"], name
        assert read[name].get("stop_grace_period") == item.get("stop_grace_period")


@pytest.mark.full
@pytest.mark.process
@pytest.mark.parametrize("name", GIVEN)
def test_docker_compose_names_a_missing_variable_in_one_line(name: str) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **GIVEN, name: ""}
    said = output_of(deploy_tool("docker-compose"), "-f", FILE, "config", "--quiet", env=env, code=1)
    assert f"required variable {name} is missing a value: set it to " in said
    assert len(said.splitlines()) == 1


@pytest.mark.full
@pytest.mark.process
def test_haproxy_accepts_the_addresses_of_the_containers(services: dict[str, Any]) -> None:
    env = {**os.environ, **services["proxy"]["environment"]}
    said = output_of(debian_tool("haproxy", "haproxy"), "-c", "-f", DEPLOY / "haproxy.cfg", env=env)
    assert "Configuration file is valid" in said
