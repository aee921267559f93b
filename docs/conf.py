"""Configure the documentation site, which `make docs` builds with Sphinx from the Markdown files of the repository."""

from __future__ import annotations

import re
import shutil

from sphinx.application import Sphinx

from loadgate.report.html import html_report
from loadgate.run.document import read_run

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
        "Start": ["self", "docs/sample-reports", "docs/own-service", "examples/README"],
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
            "docs/sizing",
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


REPORTS = """
## The reports

- <a href="samples/pass/report.html">The report of the run that passed</a>
- <a href="samples/fail/report.html">The report of the run that failed</a>
"""
"""What only the site has. `docs/samples` of the repository contains the data of these reports."""

STATUS_BADGE = re.compile(r"^\[!\[CI\].*\n", re.MULTILINE)
"""The repository host draws it."""


def add_what_the_site_has(_: Sphinx, page: str, source: list[str]) -> None:
    """Add the navigation, which the repository host would show as code, and the links to the reports."""
    text = STATUS_BADGE.sub("", source[0])
    if page == "docs/sample-reports":
        text += REPORTS
    for caption, entries in NAVIGATION.get(page, {}).items():
        options = [":hidden:", ":glob:", f":caption: {caption}"]
        text += "\n\n" + "\n".join(["```{toctree}", *options, "", *entries, "```"]) + "\n"
    source[0] = text


def add_files(app: Sphinx, error: Exception | None) -> None:
    """Add the start page, the pictures that pages show with HTML, and the reports of the recorded runs."""
    if error is not None:
        return
    shutil.copy(app.outdir / "README.html", app.outdir / "index.html")
    shutil.copytree(app.srcdir / "docs/images", app.outdir / "docs/images", dirs_exist_ok=True)
    for run in app.srcdir.glob("docs/samples/*/run.json"):
        report = app.outdir / run.relative_to(app.srcdir).with_name("report.html")
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(html_report(read_run(run)), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect("source-read", add_what_the_site_has)
    app.connect("build-finished", add_files)
