"""TLS contexts that the users of a process share.

To load the certificates of authorities takes 20 to 40 ms of CPU time. If each user did it with its first request, as in
Locust, the start of 200 users would keep the load generator busy for seconds.
"""

from __future__ import annotations

import functools

import gevent.ssl


@functools.cache
def verified(cafile: str | None = None) -> gevent.ssl.SSLContext:
    """Return the context of connections to servers whose certificate is verified."""
    return gevent.ssl.create_default_context(cafile=cafile)


@functools.cache
def unverified(cafile: str | None = None) -> gevent.ssl.SSLContext:  # noqa: ARG001 - the signature of geventhttpclient
    """Return the context of connections to servers that may have any certificate."""
    return gevent.ssl._create_unverified_context()  # noqa: SLF001 - as in Locust
