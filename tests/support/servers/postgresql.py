"""A private PostgreSQL server, its data thrown away at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inference_core.app.stack.ports import LOOPBACK, free_port, is_listening
from tests.support.processes import stop, wait_until
from tests.support.servers.unavailable import ServerUnavailableError

# Data that is thrown away need not survive a crash.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


@contextmanager
def postgresql_server(listens_at: str = LOOPBACK) -> Iterator[str]:
    """The server's URL without a database, at the loopback. It lets in everybody of its own network.

    Raises:
        ServerUnavailableError: if PostgreSQL is not installed here.
    """
    binaries = _binaries()
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        folder = Path(name)
        account = unprivileged(folder)
        data = folder / "data"
        initdb = [binaries / "initdb", "--no-sync", "--auth=trust", "--username=test", "--encoding=UTF8", "-D", data]
        made = subprocess.run([*initdb, "--no-locale"], capture_output=True, text=True, check=False, **account)
        assert made.returncode == 0, made.stderr
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")
        port = free_port()
        settings = [part for setting in FAST for part in ("-c", setting)]
        command = [binaries / "postgres", "-D", data, "-h", listens_at, "-p", str(port), "-k", folder, *settings]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, **account)
            try:
                wait_until(lambda: process.poll() is not None or _accepts(binaries, port), what="PostgreSQL accepting")
                assert process.poll() is None, (folder / "log").read_text()
                yield f"postgresql://test@{LOOPBACK}:{port}"
            finally:
                # SIGINT: end the connections and stop; SIGTERM would wait for them.
                process.send_signal(2)
                stop(process, grace_s=20)


def _accepts(binaries: Path, port: int) -> bool:
    if not is_listening(port):
        return False
    ready = subprocess.run([binaries / "pg_isready", "-q", "-h", LOOPBACK, "-p", str(port)], check=False)
    return ready.returncode == 0


def _binaries() -> Path:
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not installed:
        raise ServerUnavailableError("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    return installed[-1].parent


def unprivileged(folder: Path) -> dict[str, Any]:
    """What makes a child run as somebody else when we are root, which PostgreSQL refuses to be."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    account = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "cwd": folder}
