"""`/docs`: its policy for browsers, and the files that it loads."""

from __future__ import annotations

import pytest

from tests.support.accounts import Api

pytestmark = pytest.mark.anyio


async def test_the_page_says_what_a_browser_may_load(api: Api) -> None:
    page = await api.client.get("/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "swagger" in page.text.lower()
    for name, kind in (("swagger-ui-bundle.js", "javascript"), ("swagger-ui.css", "css"), ("init.js", "javascript")):
        file = await api.client.get(f"/docs/{name}")
        assert kind in file.headers["content-type"]
        assert file.headers["cache-control"] == "max-age=3600"
        assert f"docs/{name}" in page.text
