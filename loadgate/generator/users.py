"""BaseUser: a FastHttpUser whose every request ends in the record, whatever happens to it."""

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
from loadgate.generator.client.spans import SPAN, begin_span, traceparent_of, tracer_of
from loadgate.generator.client.stopwatch import Stopwatch, timed
from loadgate.generator.client.streamed import follow_body, settle_body
from loadgate.generator.client.tracing import TRACEPARENT
from loadgate.generator.client.user_agent import RestingCookieJar, TimedUserAgent
from loadgate.generator.client.whole_answer import LateParts
from loadgate.generator.groups import GROUP, group_of, keep_group
from loadgate.generator.in_flight import ends_task, fast_request, mark_failed, record_unanswered
from loadgate.generator.locust_patches import become
from loadgate.generator.measures import measured
from loadgate.generator.pacer import Arrival, active
from loadgate.generator.request_events import LATENESS
from loadgate.run.measure import Measure

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
"""What FastHttpUser gives to its session, by name, and the attribute that it takes it from."""

_OF_SESSION = {"client_pool", "ssl_context_factory"}
"""Those that the session does not hand on to its user agent."""


@functools.lru_cache
def _never_waits(listener: Callable[..., Any]) -> bool:
    """Whether a listener of the request event is Locust's or ours, which only count, those of OpenTelemetry aside."""
    module = getattr(listener, "__module__", "")
    return module.startswith(("locust.", "loadgate.")) and module not in {
        "locust.opentelemetry",
        "loadgate.generator.client.spans",
    }


class GateResponse(LateParts, ResponseContextManager):  # type: ignore[override,misc]  # as WholeResponse
    """A response that is recorded once: by its `with` block if it has one, else at once by its status."""

    began = 0.0
    """When the request was sent, in seconds of `time.perf_counter`."""

    _reported = False

    def __enter__(self) -> Self:
        """Leave it to the block to call `success()` or `failure(...)`; the status decides when it calls neither."""
        if self._reported:
            raise LocustError(
                "This response is already recorded by its status; write `with self.client.get(...) as response:` "
                "around the request itself"
            )
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(  # type: ignore[override]  # as Locust's, which answers whether to go on
        self, exc: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Record the request; an exception that left the block makes it a failure, and goes on to the task."""
        if ends_task(value):
            super().__exit__(None, None, None)  # type: ignore[no-untyped-call]
            return False
        mark_failed(self, value)
        return bool(super().__exit__(exc, value, traceback))  # type: ignore[no-untyped-call]

    def success(self) -> None:
        """Mark the request as good, whatever its status."""
        super().success()  # type: ignore[no-untyped-call]

    def failure(self, exc: str | Exception) -> None:
        """Mark the request as failed; the text is counted in the report."""
        super().failure(exc)  # type: ignore[no-untyped-call]

    def expect(self, status: int | Collection[int] = 200, content: Mapping[str, Any] | None = None) -> Any:
        """Inside a `with` block: mark the request by its status and, if `content` is given, by its JSON document.

        `content` maps dotted paths (`components.redis.status`, `items.0.id`) to expected values, as in
        `loadgate.checks.HttpCheck`. Returns the JSON document; `None` after a failure, and where no `content` was
        asked for and the body is not JSON.
        """
        allowed = {status} if isinstance(status, int) else set(status)
        if self.status_code not in allowed:
            self.failure(f"answered {self.status_code}, expected {' or '.join(map(str, sorted(allowed)))}")
            return None
        document, problem = self._document(content)
        if problem:
            self.failure(problem)
            return None
        self.success()
        return document

    def _document(self, content: Mapping[str, Any] | None) -> tuple[Any, str | None]:
        """Return the JSON document of the body, and what is wrong with it."""
        try:
            document = json.loads(self.text or "")
        except ValueError:
            return None, None if content is None else "did not answer with JSON"
        return document, json_problem(document, content or {})

    def report_unless_entered(self) -> None:
        """Record by status a response that no `with` block took over."""
        if not self._entered:
            self._report_request()

    def _report_request(self) -> None:
        self._reported = True
        settle_body(self)
        super()._report_request()  # type: ignore[no-untyped-call]


class GateSession(FastHttpSession):
    """Locust's session, with `with` blocks that need no `catch_response=True` and no request that gets lost."""

    def __init__(self, base_url: str | None, request_event: Any, user: User | None, **options: Any) -> None:
        """Make a session; `options` are those of FastHttpSession and of its user agent."""
        super().__init__(base_url, request_event, user, **options)
        made_by_locust, self.cookiejar = self.client, RestingCookieJar()
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

        With the default the response may be used in a `with` block or not. `catch_response=False` is Locust's own
        behaviour: recorded before it is returned, and no `with` block.
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
            raise  # a mistake in the task's code, which Locust reports as such
        except BaseException:
            context = {TRACEPARENT: stopwatch.traceparent, **(context or {})}
            if isinstance(self.user, BaseUser) and (lateness_ms := self.user.lateness_ms(began)) is not None:
                context = {LATENESS: lateness_ms, **context}
            record_unanswered(self, began, method=method, url=url, name=name, context=context)
            raise
        if (elapsed_ms := stopwatch.elapsed_ms) is not None:
            response.request_meta["response_time"] = elapsed_ms
        response.request_meta["context"][TRACEPARENT] = stopwatch.traceparent
        if isinstance(self.user, BaseUser) and (lateness_ms := self.user.lateness_ms(stopwatch.began)) is not None:
            response.request_meta["context"][LATENESS] = lateness_ms
        become(response, GateResponse)
        answer = cast("GateResponse", response)
        answer.began = began if stopwatch.began is None else stopwatch.began
        if kwargs.get("stream"):
            follow_body(answer, answer.began)
        if not catch_response:
            answer.report_unless_entered()
        else:
            # Runs as soon as this greenlet gives way, which a `with` statement after the call cannot do before it
            # has entered its block. In the event loop itself, at a fraction of the cost, where no listener may wait.
            light = all(map(_never_waits, self.request_event._handlers))  # noqa: SLF001 - no public way to ask
            run_soon = gevent.get_hub().loop.run_callback if light else gevent.spawn_raw
            run_soon(answer.report_unless_entered)
        return answer


class BaseUser(FastHttpUser):
    """The base of a suite's user classes.

    A class says with `group = "health"` to which group its requests belong, for rules such as `health: p95 < 100ms`;
    its subclasses inherit that. A class without one is a group of its own, by its class name. `preflight` are checks
    that must hold before a run in which the class has users: a `Check`, or the name of one that the project declares
    in `[[tool.loadgate.doctor]]`. Both timeouts are finite, so that a target that hangs shows as failures.
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
            self.tasks = [_at_its_arrival(task) for task in self.tasks if callable(task)]
            self.wait_time = lambda: 0.0  # type: ignore[method-assign]

    def await_arrival(self) -> None:
        """In an open model, wait until the next task is meant to start."""
        pacer = active()
        self._arrival = pacer.take(type(self).__name__) if pacer is not None else None
        if self._arrival is None:
            raise StopUser

    def lateness_ms(self, began: float | None) -> float | None:
        """In an open model, how long after its arrival's time a request began (perf_counter); 0 but for a task's first.

        `None` in a closed model.
        """
        if not self._open_model:
            return None
        arrival, self._arrival = self._arrival, None
        return 0.0 if arrival is None or began is None else arrival.lateness_s(began) * 1000

    def measure(self, name: str, value_ms: float, group: str = "", *, at_s: float | None = None) -> None:
        """Record a duration that is no request of its own, such as the time to the first event of a stream.

        It counts under its name and its group, where rules read it as a latency (`first_event: p95 < 300ms`), but not
        in `overall`. What is below 0 counts as 0. `at_s` is when it was taken, in epoch seconds, now by default.

        Raises:
            ValueError: the value is not finite.
        """
        if not math.isfinite(value_ms):
            raise ValueError(f"{name}: a measure must be finite; got {value_ms!r} ms")
        taken = Measure(name, group, value_ms, time.time() if at_s is None else at_s)
        measured.fire(measure=taken)  # type: ignore[no-untyped-call]

    @classmethod
    def group_name(cls) -> str:
        """Return the group that the class's requests are judged in."""
        return group_of(cls)


def _at_its_arrival(task: Callable[..., Any]) -> Callable[[BaseUser], None]:
    @functools.wraps(task)
    def paced(user: BaseUser) -> None:
        user.await_arrival()
        task(user)

    return paced
