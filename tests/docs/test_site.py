"""The documentation site: its links and anchors, its table of contents, and that it needs no network."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from tests.support.stack import ROOT, clean_environment

pytestmark = [
    pytest.mark.full,
    pytest.mark.process,
    pytest.mark.timeout(180),
    pytest.mark.xdist_group("site"),
]

LOADED = {("link", "href"), ("script", "src"), ("img", "src"), ("source", "srcset"), ("iframe", "src")}
"""What a browser requests when it shows a page."""


class Page(HTMLParser):
    """The anchors of a page, and what it refers to: the element, its attribute and the address."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.references: list[tuple[str, str, str]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            if name in {"href", "src", "srcset"} and value:
                self.references.append((tag, name, value))


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Build the site as `make docs` does."""
    (recipe,) = re.findall(
        r"^\t@\.venv/bin/sphinx-build (.+) -d \S+ \. site$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    arguments = [*shlex.split(recipe), "-d", str(target.parent / "doctrees"), str(source), str(target)]
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *arguments],
        cwd=source,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site") / "html"
    done = build(ROOT, target)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return target


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def source_pages() -> Iterator[Path]:
    """The Markdown files that are pages of the site."""
    yield from ROOT.glob("*.md")
    yield ROOT / "deploy/README.md"
    for folder in ("docs", "examples"):
        yield from (ROOT / folder).rglob("*.md")


def test_each_markdown_file_is_a_page_that_the_start_page_lists(site: Path, pages: dict[Path, Page]) -> None:
    names = [path.relative_to(ROOT).with_suffix(".html") for path in source_pages()]
    assert len(names) > 40
    listed = {urldefrag(link)[0] for _, _, link in pages[site / "index.html"].references}
    assert [str(name) for name in names if str(name) not in listed | {"README.html"}] == []


def test_each_link_leads_to_a_file_and_an_anchor(pages: dict[Path, Page]) -> None:
    broken = []
    for path, page in pages.items():
        for _, _, link in page.references:
            address, anchor = urldefrag(unquote(link))
            if re.match(r"https?:|mailto:|data:", address):
                continue
            target = (path.parent / address.partition("?")[0]).resolve() if address else path
            # Scripts add the anchors of the search page.
            if not target.is_file() or (anchor and target in pages and anchor not in pages[target].anchors):
                broken.append(f"{path.name}: {link}")
    assert broken == []


def test_a_page_has_a_table_of_contents(site: Path, pages: dict[Path, Page]) -> None:
    page = pages[site / "docs/measurement.html"]
    linked = {link for tag, _, link in page.references if tag == "a"}
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/measurement.md").read_text(), re.MULTILINE)
    assert len(headings) > 10
    assert {f"#{heading.lower().replace(' ', '-').replace(',', '')}" for heading in headings} <= linked


def test_the_site_needs_no_network(site: Path, pages: dict[Path, Page]) -> None:
    loaded = [link for page in pages.values() for tag, name, link in page.references if (tag, name) in LOADED]
    assert len(loaded) > 100
    assert [link for link in loaded if re.match(r"(https?:)?//", link)] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", styles) == []


@pytest.mark.parametrize(
    ("text", "problem"), [("[away](docs/missing.md)", "missing.md"), ("[away](docs/glossary.md#nowhere)", "nowhere")]
)
def test_a_broken_link_fails_the_build(tmp_path: Path, text: str, problem: str) -> None:
    source = tmp_path / "source"
    (source / "docs").mkdir(parents=True)
    for name in ("docs/conf.py", "docs/glossary.md"):
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "docs/images", source / "docs/images")
    (source / "README.md").write_text(f"# Start\n\n{text}\n")
    done = build(source, tmp_path / "html")
    assert done.returncode != 0
    assert re.search(rf"README\.md:3: WARNING: .*{re.escape(problem)}", done.stderr), done.stderr
