"""Test the Compose file and the image of load runs without Docker."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from loadgate.project import load_project
from loadgate.runner.cluster.commands import master_command, worker_command
from loadgate.runner.cluster.manifests import CONCLUDE_WITHIN_S, DELIVER_WITHIN_S, USER
from tests.loadgate.runner.cluster.image import COPIED, IMAGE_FOLDER, copies, dockerfile, image_environment, image_files
from tests.loadgate.runner.cluster.schema import compose_problems
from tests.loadgate.running.support import PASS, finish, loadgate_command
from tests.support.compose_files import MissingVariableError, compose_file
from tests.support.stack import ROOT

COMPOSE = ROOT / "deploy" / "load" / "compose.yaml"
SUITE = "tests/performance/locustfile.py"


def compose(**variables: str) -> dict[str, Any]:
    """Return the Compose file with its variables replaced."""
    return compose_file(COMPOSE, variables)


def load(**variables: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the master and the worker."""
    services = compose(TARGET_HOST="http://api", **variables)["services"]
    return services["master"], services["worker"]


def test_compose_accepts_the_file_with_and_without_variables() -> None:
    assert compose_problems(yaml.safe_load(COMPOSE.read_text())) == []
    assert compose_problems(compose(TARGET_HOST="http://api", LOAD_WORKERS="4", LOAD_USER="0")) == []


def test_the_schema_finds_a_file_that_is_wrong() -> None:
    document = compose(TARGET_HOST="http://api")
    document["services"]["master"]["comand"] = []
    document["services"]["worker"]["depends_on"] = 1
    found = "\n".join(compose_problems(document))
    assert "'comand' was unexpected" in found
    assert "$.services.worker.depends_on" in found


def test_the_target_must_be_given() -> None:
    with pytest.raises(MissingVariableError, match="TARGET_HOST: "):
        compose()


@pytest.mark.parametrize(("variables", "workers"), [({}, 2), ({"LOAD_WORKERS": "5", "LOAD_PROFILE": "heavy"}, 5)])
def test_the_commands_are_those_of_the_manifests(variables: dict[str, str], workers: int) -> None:
    master, worker = load(**variables)
    assert master["command"] == master_command(variables.get("LOAD_PROFILE", "light"), SUITE, workers)
    assert worker["command"] == worker_command(SUITE, "master")
    assert worker["deploy"]["replicas"] == str(workers)
    assert load_project(ROOT).locustfile == SUITE


def test_containers_have_no_rights_and_only_the_master_writes_reports() -> None:
    master, worker = load()
    for service in (master, worker):
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["user"] != "0"
    (volume,) = master["volumes"]
    reports = f"{IMAGE_FOLDER}/{load_project(ROOT).reports}"
    assert Path(reports).is_relative_to(volume["target"])
    assert (COMPOSE.parent / volume["source"]).resolve() == ROOT / "reports"
    assert "volumes" not in worker


def test_the_master_has_the_time_to_end_that_a_pod_has() -> None:
    master, worker = load()
    assert master["stop_grace_period"] == f"{CONCLUDE_WITHIN_S + DELIVER_WITHIN_S}s"
    assert worker["stop_grace_period"] == f"{CONCLUDE_WITHIN_S}s"


def test_the_target_and_the_token_are_in_no_command() -> None:
    master, _ = load(LOADGATE_PUT_TOKEN="a-secret")
    assert master["environment"]["TARGET_HOST"] == "http://api"
    assert master["environment"]["LOADGATE_PUT_TOKEN"] == "a-secret"
    assert not [part for part in master["command"] if "http" in str(part) or "secret" in str(part)]


def test_compose_builds_the_image_from_the_repository() -> None:
    master, worker = load()
    assert master["build"] == worker["build"]
    assert (COMPOSE.parent / master["build"]["context"]).resolve() == ROOT
    assert (ROOT / master["build"]["dockerfile"]).read_text() == dockerfile()


def test_the_image_has_the_user_and_the_folder_of_the_manifests() -> None:
    assert re.findall(r"^USER (.+)$", dockerfile(), re.MULTILINE) == [f"{USER}:{USER}"]
    assert set(re.findall(r"^WORKDIR (.+)$", dockerfile(), re.MULTILINE)) == {IMAGE_FOLDER}
    assert f"PATH={IMAGE_FOLDER}/.venv/bin:$PATH" in dockerfile()


def test_the_build_context_contains_what_is_copied_and_nothing_else() -> None:
    ignored = (ROOT / "deploy" / "load" / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert kept == {source.rstrip("/") for source, _ in copies()}
    assert all((ROOT / source).exists() for source in kept)


def test_the_project_can_be_installed_in_the_image() -> None:
    build = dockerfile().partition("AS build")[2].partition("\nFROM ")[0]
    copied = {source.rstrip("/") for source, _ in copies(build)}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = {settings["project"]["readme"], *(package["include"] for package in settings["tool"]["poetry"]["packages"])}
    (setup,) = re.findall(r"^RUN python (\S+) --run-only$", build, re.MULTILINE)
    assert copied == named | {setup, "pyproject.toml", "poetry.lock"}


@pytest.mark.full
def test_the_files_of_the_image_are_enough_for_the_suite(tmp_path: Path) -> None:
    folder = image_files(tmp_path / "suite")
    assert {path.name for path in folder.iterdir()} == COPIED
    environment = image_environment(folder, tmp_path / "python")
    done = finish(loadgate_command("profiles"), folder, **environment)
    assert done.returncode == PASS, done.stderr
    assert re.search(r"^light .*\(default\)", done.stdout, re.MULTILINE), done.stdout
    shutil.rmtree(folder / "inference_core")
    without = finish(loadgate_command("profiles"), folder, **environment)
    assert "No module named 'inference_core'" in without.stderr
