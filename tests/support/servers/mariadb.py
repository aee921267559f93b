"""A private MariaDB server on the loopback, its data thrown away at the end."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference_core.app.stack.ports import LOOPBACK, free_port, is_listening
from tests.support.processes import stop, wait_until
from tests.support.servers.certificates import self_signed_certificate
from tests.support.servers.unavailable import ServerUnavailableError

# The server reads one statement a line.
ACCOUNT = "CREATE USER 'test'@'%' IDENTIFIED BY 'test';\nGRANT ALL ON *.* TO 'test'@'%' WITH GRANT OPTION;\n"
# Data that is thrown away need not survive a crash.
FAST = ("--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0", "--skip-log-bin", "--innodb-buffer-pool-size=64M")


@contextmanager
def mariadb_server() -> Iterator[str]:
    """The server's URL without a database.

    Raises:
        ServerUnavailableError: if MariaDB is not installed here.
    """
    server, installer = _find("mariadbd", "mysqld"), _find("mariadb-install-db", "mysql_install_db")
    with tempfile.TemporaryDirectory(prefix="mariadb-") as name:
        folder = Path(name)
        data = f"--datadir={folder / 'data'}"
        user = f"--user={getpass.getuser()}"
        install = [installer, "--no-defaults", data, user, "--auth-root-authentication-method=normal"]
        # A starting server clears its folder for temporary files, which must not be another one's.
        env = {**os.environ, "TMPDIR": name}
        made = subprocess.run([*install, "--skip-test-db"], capture_output=True, text=True, check=False, env=env)
        assert made.returncode == 0, made.stdout + made.stderr
        (folder / "accounts.sql").write_text(ACCOUNT)
        port = free_port()
        own = [
            f"--socket={folder / 'socket'}",
            f"--pid-file={folder / 'pid'}",
            f"--init-file={folder / 'accounts.sql'}",
        ]
        certificate, key = self_signed_certificate(folder)
        tls = [f"--ssl-cert={certificate}", f"--ssl-key={key}"]
        network = [*tls, f"--bind-address={LOOPBACK}", f"--port={port}", "--skip-name-resolve"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [server, "--no-defaults", data, user, *own, *network, *FAST], stdout=log, stderr=log, env=env
            )
            try:
                wait_until(
                    lambda: process.poll() is not None or is_listening(port), within_s=60, what="MariaDB listening"
                )
                assert process.poll() is None, (folder / "log").read_text()
                yield f"mysql://test:test@{LOOPBACK}:{port}"
            finally:
                stop(process, grace_s=30)


def _find(*names: str) -> str:
    for name in names:
        if found := shutil.which(
            name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        ) or shutil.which(name):
            return found
    raise ServerUnavailableError("MariaDB is not installed; on Debian: apt-get install mariadb-server")
