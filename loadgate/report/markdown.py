"""Escape text for Markdown, so that GitHub and GitLab show it as it is."""

from __future__ import annotations

import re

from loadgate.report.text import printable

_MARKUP = re.compile(r"[\\`*_~$|\[\]]")
"""Characters that Markdown can interpret anywhere: code, emphasis, links, formulas and cells of tables."""

_AT_THE_START = re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[#>+=-]))")
"""Characters that mark a heading, a quotation or a list item at the start of a line."""

_GAP = "\N{ZERO WIDTH SPACE}"
_REFERENCES = re.compile(
    r"(?<=[@#!%&$~])(?=[\w\"'{(\[-])"  # a mention, an issue, a merge request, a milestone, an epic, a snippet, a label
    r"|(?<=:)(?=//|[\w+-]+:)|(?<=\bwww)(?=\.)"  # the scheme of a URL, an emoji, a host
    r"|(?<=\bGH)(?=-\d)",  # an issue
    re.IGNORECASE,
)
"""The places inside of text that becomes a link without markup, because hosts replace it after they read Markdown.

A commit stays a link, which leads to the same repository, so that people can copy it.
"""


def escaped(text: str) -> str:
    """Return text from outside as one line that cannot become markup, a mention or a link, or end a table cell."""
    line = _REFERENCES.sub(_GAP, " ".join(printable(text).split()))
    line = line.replace("&", "&amp;").replace("<", "&lt;")
    line = _AT_THE_START.sub(r"\1\\", _MARKUP.sub(r"\\\g<0>", line))
    return line.replace(_GAP, "&#8203;")


def cut(text: str, characters: int) -> str:
    """Return the text with at most this number of characters. Its last one is an ellipsis if it was longer."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
