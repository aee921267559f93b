"""Test the screenshots of the report. With UPDATE_SCREENSHOTS=1 the run is longer and docs/images is updated."""

from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.loadgate.running.support import FAIL, INCONCLUSIVE, PASS, document, finish, loadgate_command, run_folder
from tests.support.browser import OfflinePage
from tests.support.png import with_palette

HERE = Path(__file__).parent
IMAGES = Path(__file__).parents[3] / "docs" / "images"
UPDATE = os.environ.get("UPDATE_SCREENSHOTS") == "1"
SECONDS = 90 if UPDATE else 8
MAX_BYTES = 150_000
SHOTS = {"light": ("light", 1180, 1480), "dark": ("dark", 1180, 1480), "phone": ("light", 360, 1480)}
"""Theme, width and height of each screenshot."""

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a run with a temporarily slow target."""
    folder = tmp_path_factory.mktemp("pictures")
    command = [sys.executable, str(HERE / "picture_target.py"), f"--slow-from={SECONDS * 0.7}"]
    command.append(f"--slow-to={SECONDS * 0.8}")
    (folder / "pyproject.toml").write_text(
        f"[tool.loadgate]\nlocustfile = {json.dumps(str(HERE / 'picture_suite.py'))}\n"
        f"[tool.loadgate.target]\ncommand = {json.dumps(command)}\nready_line = 'http://\\S+'\n"
    )
    done = finish(loadgate_command("run", "peak"), folder, TEST_PICTURE_S=str(SECONDS))
    # On a busy machine the generator may stall for so long that the rule is inconclusive.
    assert done.returncode in {PASS, FAIL, INCONCLUSIVE}, done.stdout + done.stderr
    assert document(folder)["totals"]["overall"]["requests"] > 20
    return run_folder(folder) / "report.html"


@pytest.mark.parametrize("name", SHOTS)
def test_a_screenshot_can_be_made(browser: Browser, report: Path, name: str) -> None:
    scheme, width, height = SHOTS[name]
    opened = OfflinePage(browser, color_scheme=scheme, viewport={"width": width, "height": height})
    opened.page.goto(report.as_uri())
    opened.page.wait_for_selector("html[data-ready]", timeout=60_000)
    picture = opened.page.screenshot()
    opened.close()

    assert opened.errors == []
    assert struct.unpack(">II", picture[16:24]) == (width, height)
    assert len(picture) > 20_000
    if UPDATE:
        (IMAGES / f"report-{name}.png").write_bytes(with_palette(picture))


def test_the_readme_shows_the_screenshots() -> None:
    readme = (IMAGES.parents[1] / "README.md").read_text(encoding="utf-8")
    for name in ("light", "dark", "phone"):
        picture = IMAGES / f"report-{name}.png"
        assert f"docs/images/{picture.name}" in readme
        assert picture.stat().st_size < MAX_BYTES
