"""What `inference-core up` says when it is ready, on a machine whose environment names a proxy."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.stack import clean_environment, running_stack

NOWHERE = "http://127.0.0.1:9"


def test_a_stack_is_ready_behind_a_proxy_and_says_where_everything_is(tmp_path: Path) -> None:
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), NOWHERE)
    env = {name: value for name, value in clean_environment(**proxies).items() if name.lower() != "no_proxy"}
    logs = tmp_path / "logs"
    with running_stack(tmp_path, "--port", "0", "--ephemeral", "--logs", str(logs), env=env) as stack:
        lines = stack.text.splitlines()
        assert lines[-1] == stack.url
        assert f"docs       {stack.url}/docs" in lines
        assert f"playground {stack.url}/playground" in lines
        assert f"logs       {logs}" in lines
        assert any(line.startswith("mail       ") and line.endswith(f"{os.sep}outbox") for line in lines)
        assert any(line.startswith("Press Ctrl-C to stop") for line in lines)
        told = stack.text + "".join(path.read_text() for path in logs.glob("*.log"))
        assert "Pool disposed" not in told
        assert "alembic" not in told
