"""The recorded runs that the README and the documentation show, and the drawing of the terminal."""

from __future__ import annotations

import os
import re
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest

from loadgate.report.console import verdict_text
from loadgate.run.document import RunDocument, read_run
from tests.performance.config import LOAD_PROFILES
from tests.support.stack import ROOT

README = ROOT / "README.md"
SAMPLES = ROOT / "docs/samples"
SCRIPTS = ROOT / "scripts/samples"
MAX_BYTES = 1_000_000
PRINTS = """
import time
print("\\033[1;32mPASS\\033[0m: all rules passed", flush=True)
time.sleep(0.3)
print("first", flush=True)
time.sleep(0.3)
print("\\033[1A\\r\\033[Jsecond <&>", flush=True)
"""


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The modules of scripts/samples."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import terminal_recording
    import terminal_svg

    return SimpleNamespace(recording=terminal_recording, svg=terminal_svg)


def sample(name: str) -> RunDocument:
    return read_run(SAMPLES / name / "run.json")


@pytest.mark.parametrize(("name", "outcome"), [("pass", "pass"), ("fail", "fail")])
def test_a_sample_is_a_run_of_a_shipped_profile(name: str, outcome: str) -> None:
    document = sample(name)
    assert document.verdict.outcome == outcome
    assert document.run.profile.name in LOAD_PROFILES
    assert document.run.users == LOAD_PROFILES[document.run.profile.name].users
    assert {rule.outcome for rule in document.verdict.rules} <= {"pass", "fail"}


@pytest.mark.parametrize("path", [*SAMPLES.glob("*/run.json"), SAMPLES / "terminal.cast"], ids=lambda path: path.name)
def test_a_sample_names_no_folder_of_the_machine(path: Path) -> None:
    assert re.findall(r"/(?:home|root|tmp|work|Users)/[\w/.-]+", path.read_text(encoding="utf-8")) == []


def test_the_readme_shows_what_the_run_prints_today() -> None:
    (block,) = re.findall(r"^```text\n(PASS: .*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block.strip() == verdict_text(sample("pass"), None, 80).strip()


def test_the_code_of_the_readme_fits_in_80_columns() -> None:
    blocks = re.findall(r"^```\w+\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 4
    assert [line for block in blocks for line in block.splitlines() if len(line) > 80] == []


def test_the_badges_agree_with_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest, beyond = re.findall(r"3\.(\d+)", project["requires-python"])
    badges = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs/images/badges").glob("*.svg")}
    assert f"<title>Python: 3.{lowest} to 3.{int(beyond) - 1}</title>" in badges["python"]
    assert f"<title>licence: {project['license']}</title>" in badges["licence"]


def test_the_drawing_of_the_terminal_is_that_of_the_recording(scripts: SimpleNamespace) -> None:
    recording = scripts.recording.Recording.read(SAMPLES / "terminal.cast")
    picture = (ROOT / "docs/images/report-pass-light.png").read_bytes()
    drawing = ROOT / "docs/images/terminal.svg"
    assert drawing.read_text(encoding="utf-8") == scripts.svg.drawn(recording, picture), "run scripts/samples draw"
    assert drawing.stat().st_size < MAX_BYTES
    first, *_, last = recording.frames()
    assert first.rows[0] == ((0, "$ make perf", "default", False),)
    # The last frame shows the whole verdict.
    shown = "\n".join(" ".join(span.text for span in row) for row in last.rows)
    assert "PASS : all 4 rules held" in shown
    assert "report: reports/performance/light_load_report.html" in shown


@pytest.mark.process
def test_a_terminal_is_recorded_and_drawn(scripts: SimpleNamespace, tmp_path: Path) -> None:
    seen: list[str] = []
    command = [sys.executable, "-c", PRINTS]
    recorded = scripts.recording.record(command, tmp_path, os.environ, "PASS", lambda: seen.append("meanwhile"))
    assert seen == ["meanwhile"]
    recorded.write(tmp_path / "terminal.cast")
    recording = scripts.recording.Recording.read(tmp_path / "terminal.cast")
    assert [text for _, text in recording.events] == [text for _, text in recorded.events]

    last = list(recording.frames())[-1]
    rows = [row for row in last.rows if row][-2:]
    assert rows[0] == ((0, "PASS", "green", True), (4, ": all rules passed", "default", False))
    assert rows[1] == ((0, "second <&>", "default", False),)

    drawing = ET.fromstring(scripts.svg.drawn(recording, b"png"))  # noqa: S314 - it is our own
    assert "second <&>" in {element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")}
    addresses = [element.get("href", "") for element in drawing.iter() if "href" in element.attrib]
    assert addresses
    assert all(address.startswith(("#", "data:image/png")) for address in addresses)
