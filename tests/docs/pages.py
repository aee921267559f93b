"""The code blocks of documentation pages.

A block is a file, whose path is in backticks on the line before it, or commands of a shell (`bash`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

FILE = re.compile(r"`([\w./-]+\.\w+)`")
CONTINUES = re.compile(r"^This page continues \[.*\]\((.+\.md)\)\.$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """A page: its files by path, and its commands."""

    name: str
    files: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)


def read_page(path: Path) -> Page:
    """Return the blocks of a page, after those of the page that it continues.

    Raises:
        ValueError: A block is neither a file nor commands, a file is there twice, or a block has no end.
    """
    text = path.read_text(encoding="utf-8")
    page = parse(path.stem, text)
    for earlier in (read_page(path.parent / name) for name in CONTINUES.findall(text)):
        page = Page(page.name, earlier.files | page.files, earlier.commands + page.commands)
    return page


def parse(name: str, text: str) -> Page:
    """Return the blocks of a text."""
    page = Page(name)
    lines = iter(text.splitlines())
    before = ""
    for line in lines:
        if line.startswith("```"):
            block = []
            for inner in lines:
                if inner == "```":
                    break
                block.append(inner)
            else:
                raise ValueError(f"{name}: the block after {before!r} has no end")
            _add(page, before, line.removeprefix("```"), block)
        before = line
    return page


def _add(page: Page, before: str, language: str, block: list[str]) -> None:
    if language == "bash":
        page.commands.extend(line.partition("  #")[0].strip() for line in block if line)
        return
    named = FILE.fullmatch(before)
    if named is None:
        raise ValueError(f"{page.name}: no line with a path is before the block {block[:1]}")
    if named[1] in page.files:
        raise ValueError(f"{page.name}: {named[1]} is there twice")
    page.files[named[1]] = "\n".join([*block, ""])
