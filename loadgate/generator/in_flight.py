"""Record requests that are in flight when their user or their run ends, for all clients of Locust.

Locust records a request only after its response has arrived and its `with` block has ended. This module records
requests that are cut off earlier.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import gevent
from locust import User, clients
from locust.clients import HttpSession
from locust.contrib import fasthttp
from locust.contrib.fasthttp import FastHttpSession
from locust.exception import ResponseError
from locust.runners import CPU_MONITOR_INTERVAL, Runner
from locust.user.task import LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING
from requests.adapters import HTTPAdapter

from loadgate.generator.client.stopwatch import Stopwatch, timed, under_way
from loadgate.generator.client.streamed import follow_body, has_open_body, settle_body
from loadgate.generator.client.tracing import TRACEPARENT, traceparent_in, with_trace
from loadgate.generator.hooks import CONTROL_FLOW
from loadgate.generator.locust_patches import replace
from loadgate.generator.request_events import FIRST_BYTE, UnansweredRequestError

POLL_S = 0.02

_HEADERS_AT = 4
"""In FastHttpSession, headers can also be the fourth positional argument after the name."""

fast_request = FastHttpSession.request
"""Locust's original method, for callers that already track the request."""

_blocks: dict[object, gevent.Greenlet] = {}
"""The responses whose `with` block is running, each with its greenlet."""


def settle(is_over: Callable[[], bool]) -> None:
    """Wait for the requests in flight. Cut off the remaining ones when `is_over` returns true.

    Call it after all users have stopped. The remaining requests belong to greenlets that tasks have started.
    """
    here = gevent.getcurrent()
    left = {request for request, greenlet in _open().items() if greenlet is not here}
    while left := left & _open().keys():
        if is_over():
            gevent.killall([greenlet for request, greenlet in _open().items() if request in left], timeout=1)
            break
        gevent.sleep(POLL_S)
    # The greenlet of a BaseUser's request may need one more turn to record it.
    gevent.sleep(0)


def _open() -> dict[object, gevent.Greenlet]:
    """Return the unfinished requests, each with its greenlet."""
    return {watch: greenlet for greenlet, watch in under_way().items()} | _blocks


def record_unanswered(
    session: Any, began: float, *, method: str, url: str, name: str | None, context: dict[str, Any]
) -> None:
    """Record a cut-off request as failed. Its latency is the time that it waited."""
    waited_ms = (time.perf_counter() - began) * 1000
    session.request_event.fire(
        request_type=method,
        name=name or session.request_name or url,
        response_time=waited_ms,
        response_length=0,
        response=None,
        context=context,
        exception=UnansweredRequestError("no answer when the run ended"),
        start_time=time.time() - waited_ms / 1000,
        url=session._build_url(url),  # noqa: SLF001 - no public attribute
    )


def ends_task(raised: BaseException | None) -> bool:
    """Return whether the exception that left a `with` block ends the task.

    If it does, the status of the response decides whether the request is a failure.
    """
    return isinstance(raised, CONTROL_FLOW) or not isinstance(raised, Exception | None)


def mark_failed(response: Any, raised: BaseException | None) -> None:
    """Mark a request as failed if an exception left its `with` block, unless the block has set a result."""
    if isinstance(raised, Exception) and response._manual_result is None and not isinstance(raised, ResponseError):  # noqa: SLF001 - Locust has no public attribute for it
        response.failure(raised)


def mark_cut_off(response: Any, raised: BaseException | None) -> None:
    """Mark a streamed request as failed if its user was killed before it had read the whole body."""
    if isinstance(raised, gevent.GreenletExit) and has_open_body(response):
        mark_failed(response, UnansweredRequestError("no end of the answer when the run ended"))


@functools.cache
def follow_clients() -> None:
    """Track the requests of Locust's own clients, and prevent new requests of a user that is being stopped."""
    replace(User, start=_start, stop=_stop)
    replace(Runner, monitor_cpu_and_memory=_monitor_cpu)
    for session_class in (HttpSession, FastHttpSession):
        replace(session_class, request=_followed(session_class.request))
    for response_class in (clients.ResponseContextManager, fasthttp.ResponseContextManager):
        _follow_blocks(response_class)


_locust_monitor_cpu = Runner.monitor_cpu_and_memory
_locust_start = User.start
_locust_stop = User.stop


def _monitor_cpu(runner: Runner) -> None:
    """Monitor the CPU as Locust does, and continue after a lack of file descriptors."""
    while True:
        try:
            _locust_monitor_cpu(runner)
        except OSError:
            gevent.sleep(CPU_MONITOR_INTERVAL)


def _start(user: User, group: Any) -> gevent.Greenlet:
    """Start a user as Locust does, and close the user's idle connections when it stops."""
    greenlet: gevent.Greenlet = _locust_start(user, group)
    greenlet.rawlink(lambda _: _close_idle(user))
    return greenlet


def _close_idle(user: User) -> None:
    """Close the user's idle connections, unless users share them.

    Requests in flight in greenlets of its tasks continue. `Session.close` of requests only drops its reference to the
    connections. They would stay open until the last response is garbage-collected, because it refers to them.
    """
    if any(getattr(user, shared, None) is not None for shared in ("client_pool", "pool_manager")):
        return
    client = getattr(user, "client", None)
    for idle in _idle_connections(client):
        while not idle.empty():
            if (connection := idle.get(block=False)) is not None:  # urllib3 fills its queue with None
                connection.close()
    if isinstance(client, HttpSession):
        client.close()


def _idle_connections(client: object) -> list[Any]:
    """Return the queues of a client's idle connections."""
    if isinstance(client, FastHttpSession):
        pools = client.client.clientpool.clients.values()
        return [pool._connection_pool._socket_queue for pool in pools]  # noqa: SLF001 - `close` would also close requests in flight
    if not isinstance(client, HttpSession):
        return []
    adapters = [adapter for adapter in client.adapters.values() if isinstance(adapter, HTTPAdapter)]
    managers = [manager for adapter in adapters for manager in (adapter.poolmanager, *adapter.proxy_manager.values())]
    queues = [manager.pools[key].pool for manager in managers for key in manager.pools.keys()]  # noqa: SIM118 - urllib3's container cannot be iterated
    return [queue for queue in queues if queue is not None]


def _stop(user: User, force: bool = False) -> bool:
    """Stop a user as Locust does, but kill a pausing user immediately.

    Locust would kill it in the next turn of the event loop. By then its pause can be over, and its next request would
    start and be cut off. For a user that is already stopping, do nothing, because Locust would report an unexpected
    state.
    """
    if not force and user._state == LOCUST_STATE_STOPPING:  # noqa: SLF001 - no public attribute
        return False
    if not force and user._state == LOCUST_STATE_WAITING:  # noqa: SLF001 - as above
        user._state = LOCUST_STATE_STOPPING  # noqa: SLF001 - as above
        user._group.killone(user._greenlet)  # noqa: SLF001 - as above; `group` may be the suite's own
        return True
    return bool(_locust_stop(user, force))


def _followed(request: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(request)
    def follow(session: Any, method: str, url: str, name: str | None = None, *more: Any, **options: Any) -> Any:
        if session.user is None:
            return request(session, method, url, name, *more, **options)
        is_streamed = bool(options.get("stream"))
        if is_streamed and not options.get("catch_response"):
            options["context"] = {**(options.get("context") or {}), FIRST_BYTE: True}
        if len(more) < _HEADERS_AT:
            options["headers"] = with_trace(options.get("headers"), _common_headers(session))
        began = time.perf_counter()
        try:
            with timed(Stopwatch()):
                response = request(session, method, url, name, *more, **options)
        except Exception:
            raise  # an error in the code of the task; Locust reports it
        except BaseException:
            sent = {TRACEPARENT: traceparent_in(options.get("headers"))}
            context = {**sent, **session.user.context(), **(options.get("context") or {})}
            record_unanswered(session, began, method=method, url=url, name=name, context=context)
            raise
        if is_streamed and options.get("catch_response"):
            follow_body(response, began)
        return response

    return follow


def _common_headers(session: Any) -> Iterable[str]:
    """Return the names of the headers that every request of a session has."""
    return iter(session.headers if isinstance(session, HttpSession) else session.client.default_headers)


def _follow_blocks(response_class: Any) -> None:
    """Record every response whose `with` block ends, with or without an exception.

    If the exception ends the task, the status decides, unless the block has set a result. Any other exception makes the
    request a failure.
    """
    enter, leave = response_class.__enter__, response_class.__exit__

    def follow(response: Any) -> Any:
        entered = enter(response)
        _blocks[response] = gevent.getcurrent()
        return entered

    def record(
        response: Any, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        _blocks.pop(response, None)
        mark_cut_off(response, value)
        settle_body(response)
        if ends_task(value):
            leave(response, None, None, None)
            return False
        mark_failed(response, value)
        return bool(leave(response, kind, value, traceback))

    replace(response_class, __enter__=follow, __exit__=record)
