"""A certificate that the servers of the tests show for 127.0.0.1 and localhost, signed by itself."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed_certificate(folder: Path) -> tuple[Path, Path]:
    """Make one in a folder; the files of the certificate and of its key."""
    certificate, key = folder / "server.crt", folder / "server.key"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(["openssl", "req", "-x509", *curve, "-days", "2", *names, *files], check=True, capture_output=True)
    key.chmod(0o600)
    return certificate, key
