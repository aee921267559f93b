"""Test the requests of BaseUser's client, seen by a server.

They run in a process of their own because Locust patches Python.
"""

from __future__ import annotations

import os
import random
import re
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadgate.generator.client.tracing import new_traceparent, request_ids
from tests.support.preloaded import printed_json

PROGRAM = Path(__file__).with_name("timed_requests_program.py")


def seen(scenario: str) -> dict[str, Any]:
    return printed_json(PROGRAM, scenario)


def test_work_of_the_client_before_and_after_a_request_is_not_its_latency() -> None:
    result = seen("slow-client")
    assert result["outside_ms"] >= 600
    assert result["latencies_ms"][0] < 300


def test_the_latency_of_a_redirect_includes_all_its_requests() -> None:
    (latency_ms,) = seen("redirect")["latencies_ms"]
    assert latency_ms >= 2 * 50


def test_a_refused_connection_is_a_failure_with_a_time() -> None:
    result = seen("refused")
    assert result["errors"] == ["ConnectionRefusedError"]
    assert result["latencies_ms"][0] >= 0


def test_concurrent_requests_of_one_user_have_separate_latencies() -> None:
    latencies_ms = sorted(seen("concurrent")["latencies_ms"])
    assert latencies_ms[0] < 400 <= latencies_ms[1]


def test_responses_that_arrive_together_end_together_even_if_their_processing_takes_long() -> None:
    first_ms, second_ms = seen("together")["latencies_ms"]
    assert abs(first_ms - second_ms) < 200


def test_a_response_in_parts_ends_with_its_last_part() -> None:
    (latency_ms,) = seen("in-parts")["latencies_ms"]
    assert latency_ms >= 200


def test_an_interim_response_does_not_end_the_request() -> None:
    result = seen("early-hints")
    assert result["bodies"] == ["ok", "ok"]
    assert min(result["latencies_ms"]) >= 400
    assert len(set(result["paths"])) == 1, "the connection is used again"


@pytest.mark.parametrize("scenario", ["closed-by-server", "unasked-for"])
def test_a_stale_connection_is_not_reused(scenario: str) -> None:
    result = seen(scenario)
    assert (result["bodies"], result["errors"]) == (["ok"] * 3, [])


def test_a_request_without_a_response_fails_after_its_timeout() -> None:
    result = seen("unanswered")
    assert len(result["errors"]) == 1
    assert result["latencies_ms"][0] >= 2000


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says when a socket received what is read")
def test_a_response_ends_when_it_arrives_not_when_it_is_read() -> None:
    assert seen("arrived-before")["read_ms"] < -100


@pytest.mark.parametrize("scenario", ["clock-set-on", "clock-set-back"])
def test_a_response_ends_at_its_read_if_the_clock_is_set_meanwhile(scenario: str) -> None:
    assert seen(scenario)["read_ms"] >= 0


def test_expect_checks_the_status_and_optionally_the_json() -> None:
    seven, nothing = [{"id": 7}], None
    assert seen("expectations")["bodies"] == [
        ["/list", None, seven, False],
        ["/list", 0, seven, False],
        ["/list", 1, seven, False],
        ["/page", None, nothing, False],
        ["/page", 0, nothing, True],
        ["/page", 1, nothing, True],
        ["/nothing", None, nothing, False],
        ["/nothing", 0, nothing, True],
        ["/nothing", 1, nothing, True],
        ["/number", None, 12, False],
        ["/number", 0, 12, False],
        ["/number", 1, nothing, True],
        ["/cut", None, nothing, False],
        ["/cut", 0, nothing, True],
        ["/cut", 1, nothing, True],
    ]


def test_cookies_are_stored_and_sent() -> None:
    assert seen("cookies")["cookies"] == ["", "session=1", "session=1"]


def test_query_parameters_are_sent_and_not_cached_with_the_url() -> None:
    assert seen("parameters")["paths"] == ["/plain", "/plain?page=2", "/plain?page=3", "/plain"]


def test_each_request_has_its_own_headers() -> None:
    texts = ["text/a", "text/b", "text/a", "text/a", "text/a", "text/c"]
    methods = ["GET", "GET", "GET", "POST", "POST", "GET"]
    assert seen("headers")["accepts"] == [list(pair) for pair in zip(methods, texts, strict=True)]


def test_a_listener_that_yields_is_called_outside_the_event_loop() -> None:
    result = seen("waiting-listener")
    assert result["waited"] == 1
    assert len(result["latencies_ms"]) == 1


def test_a_nested_request_leaves_no_request_in_flight() -> None:
    result = seen("nested")
    assert len(result["latencies_ms"]) == len(result["paths"]) == 3
    assert result["open"] == 0


def test_a_user_that_is_stopped_at_the_end_of_its_pause_sends_no_request() -> None:
    result = seen("stopped-in-pause")
    assert (result["paths"], result["errors"], result["open"]) == (["/plain"], [], 0)


def test_every_request_has_its_own_trace_and_records_its_ids() -> None:
    result = seen("traces")
    sent = result["traceparents"]
    assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", header) for header in sent)
    trace_ids = [header.split("-")[1] for header in sent]
    redirect = result["paths"].index("/redirect")
    # Redirected requests stay in the same trace.
    assert trace_ids[redirect] == trace_ids[redirect + 1]
    del trace_ids[redirect]
    assert len(set(trace_ids)) == len(trace_ids) == 7
    assert sorted(trace_id for trace_id, *_ in result["ids"]) == sorted(trace_ids)
    assert all(re.fullmatch(r"request-\d+", request_id) for _, request_id, _ in result["ids"])


def test_a_traceparent_of_the_user_class_is_kept() -> None:
    result = seen("own-traces")
    assert set(result["traceparents"]) == {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    assert {trace_id for trace_id, *_ in result["ids"]} == {"0af7651916cd43dd8448eb211c80319c"}


def test_a_request_without_a_response_has_a_trace_and_no_request_id() -> None:
    ((trace_id, request_id, _),) = seen("refused")["ids"]
    assert request_id == ""
    assert len(trace_id) == 32


def test_ids_do_not_depend_on_the_seed_of_the_suite_or_on_forks() -> None:
    random.seed(7)
    first = new_traceparent()
    random.seed(7)
    assert new_traceparent() != first
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
        child = os.fork()
    if not child:
        os.write(write, new_traceparent().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 100).decode()
    os.close(read)
    os.close(write)
    assert len(theirs) == 55
    assert theirs != new_traceparent()


@pytest.mark.parametrize(
    ("context", "headers", "ids"),
    [
        (None, None, ("", "", "")),
        ({"traceparent": "nonsense"}, {}, ("", "", "")),
        ({"traceparent": "00-ab-cd-01"}, {"x-correlation-id": "c"}, ("ab", "c", "")),
        ({}, {"x-request-id": "r" * 500}, ("", "r" * 128, "")),
    ],
)
def test_ids_of_any_request(context: Any, headers: Any, ids: tuple[str, str, str]) -> None:
    assert request_ids(context, SimpleNamespace(headers=headers)) == ids
    assert request_ids(context, None)[1] == ""


def test_a_user_that_ends_closes_its_connections_without_a_garbage_collection() -> None:
    result = seen("leaving")
    assert (result["opened"], result["closed"]) == (6, 6)


def test_connections_that_users_share_outlive_a_user() -> None:
    result = seen("sharing")
    assert (result["opened"], result["closed"], result["errors"]) == (3, 0, [])


def test_users_share_their_tls_contexts_and_verify_certificates_unless_told_otherwise() -> None:
    result = seen("tls")
    assert result["contexts"] == 2
    assert result["paths"] == ["/plain"] * 5
    assert result["errors"] == ["SSLCertVerificationError"] * 5
