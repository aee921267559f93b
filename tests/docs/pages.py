"""The code blocks of documentation pages.

A block is a file, whose path is in backticks on the line before it, or commands of a shell (`bash`). A `diff` changes a
file of this repository.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

BASH = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w./-]+\.\w+)`")
CONTINUES = re.compile(r"^This page continues \[.*\]\((.+\.md)\)\.$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """A page: its files by path, its commands, and its changes of other files as pairs of a path and a diff."""

    name: str
    files: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    diffs: list[tuple[str, str]] = field(default_factory=list)


def read_page(path: Path) -> Page:
    """Return the blocks of a page, after those of the page that it continues.

    Raises:
        ValueError: A block is neither a file nor commands, a file is there twice, or a block has no end.
    """
    text = path.read_text(encoding="utf-8")
    page = parse(path.stem, text)
    for earlier in (read_page(path.parent / name) for name in CONTINUES.findall(text)):
        page = Page(page.name, earlier.files | page.files, earlier.commands + page.commands, page.diffs)
    return page


def commands_of(path: Path) -> list[str]:
    """Return the commands of any page, whose other blocks can have any form."""
    return [command for block in BASH.findall(path.read_text(encoding="utf-8")) for command in commands_in(block)]


def commands_in(block: str) -> list[str]:
    """Return the commands of a block, without comments."""
    lines = (line.partition(" #")[0] for line in block.splitlines())
    return [command.strip() for line in lines for command in line.split("&&") if command.strip()]


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
        page.commands.extend(commands_in("\n".join(block)))
        return
    named = FILE.fullmatch(before)
    if named is None:
        raise ValueError(f"{page.name}: no line with a path is before the block {block[:1]}")
    if language == "diff":
        page.diffs.append((named[1], "\n".join(block)))
        return
    if named[1] in page.files:
        raise ValueError(f"{page.name}: {named[1]} is there twice")
    page.files[named[1]] = "\n".join([*block, ""])


def imported(code: str) -> set[tuple[str, str]]:
    """Return the names that Python code imports from `inference_core`, as pairs of a module and a name."""
    nodes = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom))
    return {
        (node.module, alias.name)
        for node in nodes
        if node.module and node.module.split(".")[0] == "inference_core"
        for alias in node.names
    }


def changed(text: str, diff: str) -> str:
    """Return a text after a diff of consecutive lines.

    Raises:
        ValueError: The text does not have these lines exactly once.
    """
    lines = diff.splitlines()
    before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    if text.count(before) != 1:
        raise ValueError(f"the lines {before!r} are there {text.count(before)} times")
    return text.replace(before, after)
