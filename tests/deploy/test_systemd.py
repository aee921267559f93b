"""Test the units of systemd, and the commands of the page that describes them."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path

import pytest

from inference_core.service import service
from tests.support import deployment
from tests.support.deploy_tools import DEPLOY, debian_tool, output_of
from tests.support.stack import ROOT

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PAGE = (ROOT / "docs" / "deploy-systemd.md").read_text()
INSTANCES = {"inference-core-api@.service": "8000", "inference-core-worker@.service": "mail"}


def unit(name: str) -> configparser.SectionProxy:
    """Return the section `Service` of a unit."""
    read = configparser.RawConfigParser(strict=False)
    read.optionxform = str  # type: ignore[method-assign,assignment]
    read.read(DEPLOY / "systemd" / name)
    return read["Service"]


def settings_of_the_page() -> dict[str, str]:
    (written,) = re.findall(r"service\.env > /dev/null <<END\n(.*?)END\n", PAGE, re.DOTALL)
    found = dict(line.split("=", 1) for line in written.splitlines())
    return {name: "f" * 64 if value.startswith("$(") else value for name, value in found.items()}


def test_the_service_accepts_the_settings_of_the_page() -> None:
    assert set(settings_of_the_page()) <= deployment.setting_names()
    settings = deployment.settings_from(settings_of_the_page())
    assert settings.is_production
    assert settings.trusted_proxies


def test_processes_have_the_time_to_end_that_their_settings_give_them() -> None:
    settings = deployment.settings_from(settings_of_the_page())
    assert int(unit("inference-core-api@.service")["TimeoutStopSec"]) == deployment.api_stops_within_s(settings)
    assert int(unit("inference-core-worker@.service")["TimeoutStopSec"]) == deployment.worker_stops_within_s(settings)


def test_the_page_starts_a_worker_for_each_queue_and_one_beat() -> None:
    enabled = " ".join(re.findall(r"^sudo systemctl enable --now (.+)$", PAGE, re.MULTILINE)).split()
    queues = [name.partition("@")[2] for name in enabled if name.startswith("inference-core-worker@")]
    assert sorted(queues) == sorted(service.queues)
    assert enabled.count("inference-core-beat") == 1
    for name in enabled:
        assert re.sub(r"@.*", "@", name) + ".service" in {path.name for path in UNITS}


def test_units_have_no_rights_and_limits() -> None:
    for path in UNITS:
        section = unit(path.name)
        assert section["NoNewPrivileges"] == "yes", path.name
        assert section["CapabilityBoundingSet"] == "", path.name
        assert section["ProtectSystem"] == "strict", path.name
        assert section["PrivateTmp"] == "yes", path.name
        assert section["User"] != "root", path.name
        assert section["Type" if "migrate" in path.name else "MemoryMax"], path.name


def verified(folder: Path, *names: str) -> str:
    """Return what systemd says about units. Their programs are not installed here."""
    for path in UNITS:
        text = re.sub(r"/opt/inference-core/\.venv/bin/[\w-]+", "/bin/true", path.read_text())
        (folder / path.name.replace("@.", f"@{INSTANCES.get(path.name, '')}.")).write_text(text)
    found = [folder / name for name in names] or sorted(folder.glob("*.service"))
    return output_of(debian_tool("systemd-analyze", "systemd"), "verify", "--man=no", *found)


@pytest.mark.full
@pytest.mark.process
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    assert verified(tmp_path) == ""
    assert len(list(tmp_path.iterdir())) == len(UNITS)


@pytest.mark.full
@pytest.mark.process
def test_systemd_finds_a_unit_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "wrong.service").write_text("[Service]\nExecStart=/bin/true\nTimeoutStopSecs=5\n")
    assert "'TimeoutStopSecs'" in verified(tmp_path, "wrong.service")


@pytest.mark.full
@pytest.mark.process
def test_haproxy_sends_requests_to_both_processes(tmp_path: Path) -> None:
    (command,) = re.findall(r"^sudo (sed -i .+) /etc/haproxy/haproxy\.cfg$", PAGE, re.MULTILINE)
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text((DEPLOY / "haproxy.cfg").read_text())
    subprocess.run(["sh", "-c", f'{command} "$1"', "sh", configuration], check=True)
    assert "server one 127.0.0.1:8000\n    server two 127.0.0.1:8001\n" in configuration.read_text()
    output_of(debian_tool("haproxy", "haproxy"), "-c", "-f", configuration)
