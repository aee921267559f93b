"""The commands that texts and messages print install this project's own packages.

`inference-core` on PyPI is another project: `pip install inference-core[…]` would fetch that one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from tests.support.stack import ROOT

SUFFIXES = {".md", ".py", ".yaml", ".yml", ".toml", ".sh", ".html", ".js", ""}
PLACES = ("docs", "examples", "inference_core", "loadgate", "scripts", "benchmarks", "tests", ".github")
FROM_PYPI = re.compile(r"(?:pip|pipx|uv|uvx)\s+[^\n`]*?inference[-_]core\b(?!/)")
EXTRAS = re.compile(r"-E (\w+)|\.\[(\w+)\]'")


def texts() -> Iterator[tuple[str, str]]:
    """Every text of the repository, by its path; not this one."""
    here = "tests/service/test_install_commands.py"
    for path in [*ROOT.iterdir(), *(found for place in PLACES for found in (ROOT / place).rglob("*"))]:
        name = str(path.relative_to(ROOT))
        if path.is_file() and path.suffix in SUFFIXES and name != here and "__pycache__" not in name:
            yield name, path.read_text(encoding="utf-8", errors="replace")


def test_no_text_installs_a_strangers_package() -> None:
    found = dict(texts())
    assert {
        "README.md",
        "docs/llm.md",
        "llm_config.example.yaml",
        "inference_core/llm/config/loader.py",
    } <= found.keys()
    assert [name for name, text in found.items() if FROM_PYPI.search(text)] == []


def test_the_extras_that_texts_name_exist() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {
        first or second for _, text in texts() for first, second in EXTRAS.findall(text) if "poetry install" in text
    }
    assert {"anthropic", "gemini", "telemetry"} <= named
    assert named <= known.keys() | {"kind"}


def test_a_page_that_shows_otel_names_the_packages_it_needs() -> None:
    pages = {name: text for name, text in texts() if name.endswith(".md") and "--otel\n" in text}
    assert "docs/performance-testing.md" in pages
    assert [name for name, text in pages.items() if "poetry install -E telemetry" not in text] == []


def test_the_pattern_finds_each_way_to_write_it() -> None:
    for text in (
        "pip install 'inference-core[gemini]'",
        "uv pip install inference_core",
        "pipx install -q inference-core",
    ):
        assert FROM_PYPI.search(text)
    for text in ("poetry install -E gemini", "pip install -e '.[gemini]'", "uv run inference_core/x"):
        assert not FROM_PYPI.search(text)
