"""Pages that contain their style and script, with a policy that forbids browsers to load anything else."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable

from fastapi.responses import HTMLResponse


@dataclass(frozen=True, slots=True)
class SinglePage:
    """A page and its content security policy."""

    content: str
    policy: str

    @classmethod
    def read(
        cls, folder: Traversable, name: str = "page", scripts: Sequence[str] = ("page.js",), **values: str
    ) -> SinglePage:
        """Return the page `name`.html with `page.css` and the `scripts` of the same folder.

        `{{key}}` is replaced by a value.
        """
        style = folder.joinpath("page.css").read_text(encoding="utf-8")
        script = "\n".join(folder.joinpath(script).read_text(encoding="utf-8") for script in scripts)
        content = folder.joinpath(f"{name}.html").read_text(encoding="utf-8")
        for key, value in values.items():
            content = content.replace(f"{{{{{key}}}}}", html.escape(value))
        directives = (
            "default-src 'none'",
            f"script-src {_hash_of(script)}",
            f"style-src {_hash_of(style)}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
        return cls(content.replace("{{style}}", style).replace("{{script}}", script), "; ".join(directives))

    def response(self) -> HTMLResponse:
        """Return the page as a response that is not cached and sends no referrer."""
        headers = {
            "Content-Security-Policy": self.policy,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return HTMLResponse(self.content, headers=headers)


def _hash_of(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
