"""All patches of Locust and its HTTP clients: the replaced attributes, the reasons, and the behaviour upstream.

Subclasses and public hooks are preferred: BaseUser creates its own session and user agent, the dispatcher is set on
the environment, and the web tab uses Flask's hooks. A patch is used only if Locust or geventhttpclient creates the
object itself, or if plain user classes of a suite must be tracked. The column "upstream" describes Locust 2.47,
geventhttpclient 2.6 and their issue trackers (locust = locustio/locust, ghc = geventhttpclient/geventhttpclient).

| attribute | why | upstream |
| --- | --- | --- |
| `locust.stats.bucket_response_time` | it rounds to two digits: 104.9 ms becomes 100 ms | replaceable by design: locust#3373; the rounding is intended: locust#255, locust#331 |
| `StatsEntry.to_string`, `.percentile`, `.to_dict`, `StatsCSV._percentile_fields` | they round times to whole milliseconds | intended: locust#255; there is no hook |
| `EventHook` → `GateHook` | the gate must be called before and after all listeners, and must record their exceptions | exceptions of listeners are only logged, by design: locust#1462; only those in `init` end Locust: locust#3009 |
| `locust.log.unhandled_greenlet_exception` | `GateHook.fire` sets it, as `EventHook.fire` does | no function sets it |
| `User.start` | idle connections of a user are closed when the user stops | left to the locustfile: locust#2623 |
| `User.stop` | a user that is stopped during its pause could still start a request, which would be cut off | issue about the same state: locust#3506 |
| `User.context` (of the suite's classes) | it adds the group to the requests of plain user classes | overriding is supported; an override of the suite is kept |
| `Runner.monitor_cpu_and_memory` | a temporary lack of file descriptors would end the run | an OSError of psutil ends the greenlet; no issue found |
| `HttpSession.request`, `FastHttpSession.request` | requests in flight are tracked, recorded if they are cut off, and carry a trace | a request of a killed greenlet is not reported; no issue found |
| `ResponseContextManager.__enter__`, `.__exit__` (of both clients) | an exception in a `with` block makes the request a failure | such requests are not recorded, by design: locust#1065 |
| fasthttp's `ResponseContextManager` → `GateResponse` | `with` blocks need no `catch_response=True` | `FastHttpSession.request` creates the class directly |
| `HTTPClient` → `TimedClient` | requests carry a trace, and their heads are cached | `HTTPClientPool.get_client` creates the class directly, and a suite can share a pool |
| `ConnectionPool`, `SSLConnectionPool` → `TimedPool`, `TimedTlsPool` | the latency of a request is measured at its connection | `HTTPClient.__init__` creates the classes directly |
| `HTTPSocketResponse._on_message_complete` | an interim response (1xx) must not return the connection to the pool | 2.6 continues to read after an interim response, but returns the connection; related: ghc#26, open |
| `HTTPSocketPoolResponse.feed`, urllib3's `HTTPResponse.read`, `.stream` (of one response) | the latency of a streamed response ends at the last read | its latency ends with the headers, by design |
| `LocustArgumentParser.error` (of one parser) | it prints one line instead of Locust's usage message | argparse has no other hook |

`python -m loadgate.generator.locust_patches` compares the patches with the installed versions.
"""  # noqa: E501 - a table

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any, NamedTuple

from geventhttpclient.client import HTTPClient
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.response import HTTPSocketPoolResponse, HTTPSocketResponse
from locust import User, clients, log, stats
from locust.argument_parser import LocustArgumentParser
from locust.clients import HttpSession
from locust.contrib import fasthttp
from locust.contrib.fasthttp import FastHttpSession, LocustUserAgent
from locust.dispatch import UsersDispatcher
from locust.event import EventHook
from locust.runners import Runner
from locust.stats import StatsCSV, StatsEntry
from urllib3 import HTTPResponse

from loadgate.stdio import use_safe_streams

VALUE = "a value"
"""Used in place of a signature for an attribute that is not a function."""


class Patch(NamedTuple):
    """A replaced attribute, the parameters that its replacement expects, and the file of the replacement."""

    owner: type | ModuleType
    attribute: str
    parameters: str
    replaced_in: str

    @property
    def place(self) -> str:
        """Return the attribute in the form of code."""
        return f"{self.owner.__name__}.{self.attribute}"


PATCHES = (
    Patch(stats, "bucket_response_time", "(response_time)", "locust_figures.py"),
    Patch(StatsEntry, "to_string", "(self, current=True)", "locust_figures.py"),
    Patch(StatsEntry, "percentile", "(self)", "locust_figures.py"),
    Patch(StatsEntry, "to_dict", "(self, escape_string_values=False)", "locust_figures.py"),
    Patch(StatsCSV, "_percentile_fields", "(self, stats_entry, use_current=False)", "locust_figures.py"),
    Patch(EventHook, "fire", "(self, *, reverse=False, **kwargs)", "hooks.py"),
    Patch(log, "unhandled_greenlet_exception", VALUE, "hooks.py"),
    Patch(User, "start", "(self, group)", "in_flight.py"),
    Patch(User, "stop", "(self, force=False)", "in_flight.py"),
    Patch(User, "context", "(self)", "groups.py"),
    Patch(Runner, "monitor_cpu_and_memory", "(self)", "in_flight.py"),
    Patch(
        HttpSession,
        "request",
        "(self, method, url, name=None, catch_response=False, context={}, *, data=None, json=None, **kwargs)",
        "in_flight.py",
    ),
    Patch(
        FastHttpSession,
        "request",
        "(self, method, url, name=None, data=None, catch_response=False, stream=False, headers=None, auth=None, "
        "json=None, allow_redirects=True, context={}, **kwargs)",
        "in_flight.py",
    ),
    Patch(clients.ResponseContextManager, "__enter__", "(self)", "in_flight.py"),
    Patch(clients.ResponseContextManager, "__exit__", "(self, exc, value, traceback)", "in_flight.py"),
    Patch(fasthttp.ResponseContextManager, "__enter__", "(self)", "in_flight.py, users.py"),
    Patch(fasthttp.ResponseContextManager, "__exit__", "(self, exc, value, traceback)", "in_flight.py, users.py"),
    Patch(fasthttp.ResponseContextManager, "_report_request", "(self)", "users.py"),
    Patch(
        HTTPClient,
        "_build_request",
        "(self, method, request_uri, body=b'', headers=None, chunked=None)",
        "client/timed_client.py",
    ),
    Patch(ConnectionPool, "_create_tcp_socket", "(self, family, socktype, protocol)", "client/timed_client.py"),
    Patch(ConnectionPool, "_is_socket_alive", "(self, sock)", "client/timed_client.py"),
    Patch(ConnectionPool, "get_socket", "(self)", "client/timed_client.py"),
    Patch(ConnectionPool, "return_socket", "(self, sock)", "client/timed_client.py"),
    Patch(ConnectionPool, "release_socket", "(self, sock)", "client/timed_client.py"),
    Patch(HTTPSocketResponse, "_on_message_complete", "(self)", "client/timed_client.py"),
    Patch(HTTPSocketPoolResponse, "feed", "(self, data)", "client/streamed.py"),
    Patch(HTTPResponse, "read", "(self, amt=None, decode_content=None, cache_content=False)", "client/streamed.py"),
    Patch(HTTPResponse, "stream", "(self, amt=65536, decode_content=None)", "client/streamed.py"),
    Patch(LocustArgumentParser, "error", "(self, message)", "describe.py"),
)

OVERRIDES = (
    Patch(LocustUserAgent, "_urlopen", "(self, request)", "client/user_agent.py"),
    Patch(UsersDispatcher, "_user_gen", "(self)", "dispatch.py"),
)
"""Private methods that subclasses override. A new version can break them like patches."""


def replace(owner: type | ModuleType, **replacements: Any) -> None:
    """Replace attributes of a module, a class or a subclass. Raises LookupError if PATCHES does not declare them."""
    for attribute, replacement in replacements.items():
        _declared(owner.__mro__ if isinstance(owner, type) else (owner,), attribute)
        setattr(owner, attribute, replacement)


def replace_of(instance: object, **replacements: Any) -> None:
    """Replace methods of one object. Raises LookupError if PATCHES does not declare them."""
    for attribute, replacement in replacements.items():
        _declared(type(instance).__mro__, attribute)
        setattr(instance, attribute, replacement)


def become(instance: object, subclass: type) -> None:
    """Change the class of an object to a subclass, for objects that other libraries create."""
    instance.__class__ = subclass


def drifted(patches: Iterable[Patch]) -> list[str]:
    """Return a line for each patch that does not fit the installed versions."""
    return [
        f"{patch.place} {problem}; loadgate/generator/{patch.replaced_in} replaces it"
        for patch in patches
        if (problem := _problem(patch))
    ]


def _problem(patch: Patch) -> str:
    found = inspect.getattr_static(patch.owner, patch.attribute, None)
    if found is None:
        return "no longer exists"
    if patch.parameters == VALUE:
        return ""
    if not callable(found):
        return f"is no longer a function but {found!r}"
    signature = inspect.signature(found)
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    takes = str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))
    return "" if takes == patch.parameters else f"takes {takes}, not {patch.parameters}"


def _declared(owners: Iterable[object], attribute: str) -> None:
    known = {patch.owner for patch in PATCHES if patch.attribute == attribute}
    if known.isdisjoint(owners):
        raise LookupError(f"PATCHES in loadgate/generator/locust_patches.py does not declare {attribute!r}")


if __name__ == "__main__":
    use_safe_streams()
    problems = drifted([*PATCHES, *OVERRIDES])
    print("\n".join(problems) or f"{len(PATCHES)} patched attributes and {len(OVERRIDES)} overrides fit")
    sys.exit(bool(problems))
