"""PgBouncer on the loopback before a PostgreSQL server, without any setting for the service."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from inference_core.app.stack.ports import LOOPBACK, free_port, is_listening
from tests.support.processes import stop, wait_until
from tests.support.servers.postgresql import unprivileged
from tests.support.servers.unavailable import ServerUnavailableError

CONFIGURATION = """\
[databases]
* = host={host} port={server_port} user=test
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
"""


@contextmanager
def pgbouncer(postgresql_url: str, mode: str, size: int) -> Iterator[str]:
    """The URL of a PgBouncer in a pool mode, with `size` connections to each database.

    Raises:
        ServerUnavailableError: if PgBouncer is not installed here.
    """
    program = shutil.which("pgbouncer", path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")
    if program is None:
        raise ServerUnavailableError("PgBouncer is not installed; on Debian: apt-get install pgbouncer")
    url = make_url(postgresql_url)
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder = Path(name)
        account = unprivileged(folder)
        port = free_port()
        values = {"host": LOOPBACK, "port": port, "server_port": url.port, "mode": mode, "size": size}
        (folder / "pgbouncer.ini").write_text(CONFIGURATION.format(**values))
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([program, folder / "pgbouncer.ini"], stdout=log, stderr=log, **account)
            try:
                wait_until(lambda: process.poll() is not None or is_listening(port), what="PgBouncer listening")
                assert process.poll() is None, (folder / "log").read_text()
                yield url.set(port=port).render_as_string(hide_password=False)
            finally:
                stop(process, grace_s=20)
