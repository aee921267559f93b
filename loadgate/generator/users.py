"""`BaseUser`, a FastHttpUser that records every request, including requests that are cut off."""

from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Self, cast

import gevent
from locust import FastHttpUser, User
from locust.contrib.fasthttp import FastHttpSession, ResponseContextManager
from locust.env import Environment
from locust.exception import LocustError, StopUser

from loadgate.checks import Check, json_problem
from loadgate.generator.client import tls
from loadgate.generator.client.complete_response import LazyParts
from loadgate.generator.client.spans import SPAN, begin_span, traceparent_of, tracer_of
from loadgate.generator.client.stopwatch import Stopwatch, timed
from loadgate.generator.client.streamed import follow_body, settle_body
from loadgate.generator.client.tracing import TRACEPARENT
from loadgate.generator.client.user_agent import LazyCookieJar, TimedUserAgent
from loadgate.generator.groups import GROUP, group_of, keep_group
from loadgate.generator.in_flight import ends_task, fast_request, mark_cut_off, mark_failed, record_unanswered
from loadgate.generator.locust_patches import become
from loadgate.generator.pacer import Arrival, active
from loadgate.generator.request_events import LATENESS, measured
from loadgate.recorder.request import Measure

SESSION_OPTIONS = {
    "network_timeout": "network_timeout",
    "connection_timeout": "connection_timeout",
    "max_redirects": "max_redirects",
    "max_retries": "max_retries",
    "insecure": "insecure",
    "concurrency": "concurrency",
    "client_pool": "client_pool",
    "ssl_context_factory": "ssl_context_factory",
    "headers": "default_headers",
    "proxy_host": "proxy_host",
    "proxy_port": "proxy_port",
}
"""Maps each option of FastHttpUser's session to the attribute of the user class."""

_OF_SESSION = {"client_pool", "ssl_context_factory"}
"""The options that the session does not pass to its user agent."""


@functools.lru_cache
def _never_waits(listener: Callable[..., Any]) -> bool:
    """Return whether a listener of the request event belongs to Locust or loadgate and never yields."""
    module = getattr(listener, "__module__", "")
    return module.startswith(("locust.", "loadgate.")) and module not in {
        "locust.opentelemetry",
        "loadgate.generator.client.spans",
    }


class GateResponse(LazyParts, ResponseContextManager):  # type: ignore[override,misc]  # as LazyResponse
    """A response that is recorded once: at the end of its `with` block or, without a block, immediately."""

    began = 0.0
    """The time at which the request was sent (`time.perf_counter`)."""

    _reported = False

    def __enter__(self) -> Self:
        """Let the block call `success()` or `failure(...)`. If it calls neither, the status decides."""
        if self._reported:
            raise LocustError(
                "This response has already been recorded by its status. Send the request in the with statement: "
                "`with self.client.get(...) as response:`"
            )
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(  # type: ignore[override]  # as in Locust
        self, exc: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Record the request. An exception in the block makes the request a failure and is raised in the task."""
        mark_cut_off(self, value)
        if ends_task(value):
            super().__exit__(None, None, None)  # type: ignore[no-untyped-call]
            return False
        mark_failed(self, value)
        return bool(super().__exit__(exc, value, traceback))  # type: ignore[no-untyped-call]

    def success(self) -> None:
        """Mark the request as successful, for any status."""
        super().success()  # type: ignore[no-untyped-call]

    def failure(self, exc: str | Exception) -> None:
        """Mark the request as failed. The report counts failures by this text."""
        super().failure(exc)  # type: ignore[no-untyped-call]

    def expect(self, status: int | Collection[int] = 200, content: Mapping[str, Any] | None = None) -> Any:
        """Check the status and, if `content` is given, the JSON document. Use it in a `with` block.

        The checks mark the request as successful or failed.

        `content` maps dotted paths (`components.redis.status`, `items.0.id`) to expected values, as in
        `loadgate.checks.HttpCheck`. Returns the JSON document, or `None` if a check failed. Without `content`, the
        body need not be JSON, and the result can be `None`.
        """
        allowed = {status} if isinstance(status, int) else set(status)
        if self.status_code not in allowed:
            self.failure(f"returned {self.status_code}, expected {' or '.join(map(str, sorted(allowed)))}")
            return None
        document, problem = self._document(content)
        if problem:
            self.failure(problem)
            return None
        self.success()
        return document

    def _document(self, content: Mapping[str, Any] | None) -> tuple[Any, str | None]:
        """Return the JSON document of the body, and its first problem, if any."""
        try:
            document = json.loads(self.text or "")
        except ValueError:
            return None, None if content is None else "did not return JSON"
        return document, json_problem(document, content or {})

    def report_unless_entered(self) -> None:
        """Record a response by its status if no `with` block has been entered."""
        if not self._entered:
            self._report_request()

    def _report_request(self) -> None:
        self._reported = True
        settle_body(self)
        super()._report_request()  # type: ignore[no-untyped-call]


class GateSession(FastHttpSession):
    """Locust's session. `with` blocks need no `catch_response=True`, and requests that are cut off are recorded."""

    def __init__(self, base_url: str | None, request_event: Any, user: User | None, **options: Any) -> None:
        """Create a session. `options` are those of FastHttpSession and of its user agent."""
        if not options.get("ssl_context_factory"):
            options["ssl_context_factory"] = tls.unverified if options.get("insecure", True) else tls.verified
        super().__init__(base_url, request_event, user, **options)
        made_by_locust, self.cookiejar = self.client, LazyCookieJar()
        kept = {name: value for name, value in options.items() if name not in _OF_SESSION}
        self.client = TimedUserAgent(made_by_locust.clientpool, cookiejar=self.cookiejar, **kept)

    def request(  # type: ignore[override]  # narrower where Locust's annotation is wrong
        self,
        method: str,
        url: str,
        name: str | None = None,
        catch_response: bool = True,
        context: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> ResponseContextManager:
        """Send a request; see `FastHttpSession.request`.

        By default a `with` block is optional. With `catch_response=False` the request is recorded before the response
        is returned, and a `with` block is not possible, as in Locust.
        """
        stopwatch = Stopwatch(is_streamed=bool(kwargs.get("stream")))
        if isinstance(self.user, BaseUser):
            context = {GROUP: self.user.group_name(), **(context or {})}
            if self.user.tracer is not None:
                span = begin_span(self.user.tracer, method, name or self.request_name or url, self._build_url(url))
                context[SPAN], stopwatch.traceparent = span, traceparent_of(span)
        began = time.perf_counter()
        try:
            with timed(stopwatch):
                response = fast_request(
                    self, method, url, name=name, catch_response=True, context=context or {}, **kwargs
                )
        except Exception:
            raise  # an error in the code of the task; Locust reports it
        except BaseException:
            context = {TRACEPARENT: stopwatch.traceparent, **(context or {})}
            if isinstance(self.user, BaseUser) and (lateness_ms := self.user.lateness_ms(began)) is not None:
                context = {LATENESS: lateness_ms, **context}
            record_unanswered(self, began, method=method, url=url, name=name, context=context)
            raise
        answer = self._timed_response(response, stopwatch, began)
        if catch_response:
            self._report_soon(answer)
        else:
            answer.report_unless_entered()
        return answer

    def _report_soon(self, answer: GateResponse) -> None:
        """Record a response when this greenlet yields. By then, a `with` statement has entered its block."""
        # If no listener can yield, the callback runs in the event loop, which needs no greenlet
        # (docs/decisions/fast-paths.md).
        no_listener_yields = all(map(_never_waits, self.request_event._handlers))  # noqa: SLF001 - Locust has no public attribute for it
        run_soon = gevent.get_hub().loop.run_callback if no_listener_yields else gevent.spawn_raw
        run_soon(answer.report_unless_entered)

    def _timed_response(self, response: ResponseContextManager, stopwatch: Stopwatch, began: float) -> GateResponse:
        """Add the measured times of a request to its response."""
        if (elapsed_ms := stopwatch.elapsed_ms) is not None:
            response.request_meta["response_time"] = elapsed_ms
        response.request_meta["context"][TRACEPARENT] = stopwatch.traceparent
        if isinstance(self.user, BaseUser) and (lateness_ms := self.user.lateness_ms(stopwatch.began)) is not None:
            response.request_meta["context"][LATENESS] = lateness_ms
        become(response, GateResponse)
        answer = cast("GateResponse", response)
        answer.began = began if stopwatch.began is None else stopwatch.began
        if stopwatch.is_streamed:
            follow_body(answer, answer.began)
        return answer


class BaseUser(FastHttpUser):
    """The base class of a suite's user classes.

    `group = "health"` assigns the requests of a class and its subclasses to a group, for rules such as
    `health: p95 < 100ms`. Without it, the name of the class is its group. `preflight` lists checks that must pass
    before a run in which the class has users: a `Check`, or the name of one in `[[tool.loadgate.doctor]]`. Both
    timeouts are finite, so that requests fail if the target hangs.
    """

    abstract = True
    client: GateSession
    connection_timeout: float = 10.0
    network_timeout: float = 30.0
    preflight: ClassVar[Sequence[Check | str]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        keep_group(cls)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.client = GateSession(
            self.host,
            environment.events.request,
            self,
            **{name: getattr(self, attribute) for name, attribute in SESSION_OPTIONS.items()},
        )
        self.tracer = tracer_of(environment)
        self._arrival: Arrival | None = None
        self._open_model = active() is not None
        if self._open_model:
            self.tasks = [_at_its_arrival([task for task in self.tasks if callable(task)])] if self.tasks else []
            self.wait_time = lambda: 0.0  # type: ignore[method-assign]

    def await_arrival(self) -> Arrival:
        """Wait for the intended start of the next task, in an open model."""
        pacer = active()
        self._arrival = pacer.take(type(self).__name__) if pacer is not None else None
        if self._arrival is None:
            raise StopUser
        return self._arrival

    def lateness_ms(self, began: float | None) -> float | None:
        """Return the time from the intended start of the arrival to `began` (perf_counter), the start of its request.

        Only the first request of a task can have a delay. `None` in a closed model.
        """
        if not self._open_model:
            return None
        arrival, self._arrival = self._arrival, None
        return 0.0 if arrival is None or began is None else arrival.lateness_s(began) * 1000

    def measure(self, name: str, value_ms: float, group: str = "", *, at_s: float | None = None) -> None:
        """Record a duration that is not a request, such as the time to the first event of a stream.

        Rules read it as a latency by its name or its group (`first_event: p95 < 300ms`). It does not count in
        `overall`. A value below 0 counts as 0. `at_s` is the time of the measurement in epoch seconds (default: now).

        Raises:
            ValueError: The value is not finite.
        """
        if not math.isfinite(value_ms):
            raise ValueError(f"{name}: a measure must be finite; got {value_ms!r} ms")
        taken = Measure(name, group, value_ms, time.time() if at_s is None else at_s)
        measured.fire(measure=taken)  # type: ignore[no-untyped-call]

    @classmethod
    def group_name(cls) -> str:
        """Return the group of the class's requests."""
        return group_of(cls)


def _at_its_arrival(tasks: Sequence[Callable[..., Any]]) -> Callable[[BaseUser], None]:
    """Return one task in place of all: it waits for an arrival, and runs the task of that arrival."""

    def paced(user: BaseUser) -> None:
        user.await_arrival().choose(tasks)(user)

    return paced
