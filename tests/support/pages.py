"""What the tests of pages check in their text: balanced tags and the hashes of the content security policy."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser


def hash_of(content: str) -> str:
    """Return the source of a style or a script in a content security policy."""
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


class Balance(HTMLParser):
    """Collects tags that are closed in the wrong order."""

    VOID = frozenset({"link", "meta", "path", "rect", "circle", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Ignore it: it is already closed."""

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)
