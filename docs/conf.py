"""Configure the documentation site, which `make docs` builds with Sphinx from the Markdown files of the repository."""

from __future__ import annotations

import shutil
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent

project = "Inference Core"
root_doc = "README"
include_patterns = ["*.md", "docs/**.md", "deploy/README.md", "examples/**README.md"]
exclude_patterns = [".*"]
extensions = ["myst_parser"]
myst_heading_anchors = 6
nitpicky = True

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sourcelink = False

NAVIGATION = {
    "README": {
        "Start": ["self", "docs/own-service", "examples/README"],
        "Performance": [
            "docs/performance-testing",
            "docs/loadgate",
            "docs/load-from-many-machines",
            "docs/llm",
            "docs/measurement",
            "docs/run-json",
        ],
        "Service": [
            "docs/cookbook/README",
            "docs/migrations",
            "docs/clients",
            "docs/security",
            "docs/reliability",
        ],
        "Deployment": [
            "deploy/README",
            "docs/deploy-compose",
            "docs/deploy-kubernetes",
            "docs/deploy-systemd",
            "docs/backup",
        ],
        "Project": [
            "docs/architecture",
            "docs/decisions/README",
            "docs/glossary",
            "CONTRIBUTING",
            "AGENTS",
            "CHANGELOG",
            "SECURITY",
        ],
    },
    "docs/cookbook/README": {"Cookbook": ["/docs/cookbook/*"]},
    "docs/decisions/README": {"Decisions": ["/docs/decisions/*"]},
    "examples/README": {"Examples": ["/examples/*/README"]},
}
"""The pages in the sidebar, by the page above them and by section. A page without a place fails the build."""


def add_navigation(_: Sphinx, page: str, source: list[str]) -> None:
    """Add the navigation to a page here, because the repository host would show it as code."""
    for caption, entries in NAVIGATION.get(page, {}).items():
        options = [":hidden:", ":glob:", f":caption: {caption}"]
        source[0] += "\n\n" + "\n".join(["```{toctree}", *options, "", *entries, "```"]) + "\n"


def add_files(app: Sphinx, error: Exception | None) -> None:
    """Add the start page, and the pictures that pages show with HTML."""
    if error is None:
        shutil.copy(app.outdir / "README.html", app.outdir / "index.html")
        shutil.copytree(ROOT / "docs/images", app.outdir / "docs/images", dirs_exist_ok=True)


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect("source-read", add_navigation)
    app.connect("build-finished", add_files)
