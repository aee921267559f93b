"""A project in a git repository: a service of a few lines, a suite and settings, for comparisons of commits."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.loadgate.runner.ab.repositories import commit, git

SERVICE = """
import http.server, sys, time
from shop.answer import DELAY_S

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        time.sleep(DELAY_S)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
"""
SUITE = """
import loadgate
from loadgate import HealthLimits, LoadProfile
from loadgate.users import BaseUser
from locust import constant, task
from names import NAME

class Visitor(BaseUser):
    group = "pages"
    wait_time = constant(0.1)

    @task
    def page(self):
        self.client.get("/", name=NAME)

loadgate.install(
    profiles={
        "steady": LoadProfile("steady", users=20, rate="40/s"),
        "closed": LoadProfile("closed", users=4, spawn_rate=4),
    },
    user_classes=[Visitor],
    rules=["pages: p50 < 10s", "pages: requests > 1"],
    preflight=[],
    # Other tests that run at the same time do not make a segment invalid.
    generator_limits=HealthLimits(cpu_share=100, lag_p99_ms=60_000, throttled_share=1),
)
"""
SETTINGS = """[tool.loadgate]
locustfile = "load/locustfile.py"
[tool.loadgate.target]
command = ["made/bin/python", "-m", "shop"]
ready_line = 'http://\\S+'
timeout = 30
"""
PREPARE = f"""prepare = [{json.dumps(sys.executable)}, "prepare.py"]
prepared = ["made"]
lock = ["a.lock"]
"""
PREPARING = """
import pathlib, sys, venv
venv.create("made", symlinks=True)
(packages,) = pathlib.Path("made").glob("lib/python*/site-packages")
(packages / "shop.pth").write_text(str(pathlib.Path("src").absolute()))
print("prepared")
"""


def project(folder: Path, delay_ms: float = 2) -> Path:
    """Create a project in `folder`, and commit it. An installation in a virtual environment finds its package."""
    for name, text in {
        "pyproject.toml": SETTINGS + PREPARE,
        "src/shop/__main__.py": SERVICE,
        "src/shop/answer.py": f"DELAY_S = {delay_ms / 1000}\n",
        "prepare.py": PREPARING,
        "a.lock": "1",
        "load/locustfile.py": SUITE,
        "loadgate/__init__.py": "raise ImportError('the loadgate of a worktree is not the one that compares')\n",
        "load/names.py": 'NAME = "of base"\n',
        ".gitignore": "reports/\nmade/\n__pycache__/\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "init", "--quiet")
    commit(folder, "Project")
    return folder
