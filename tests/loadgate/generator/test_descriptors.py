"""Test the detection of errors that the load generator's own machine caused, in the exceptions of each client."""

from __future__ import annotations

import errno
import os
import resource
import socket

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from loadgate.generator.descriptors import EXHAUSTIBLE_RESOURCES, Reserve, exhausted_resource


def wrapped_as_requests_does(error: OSError) -> Exception:
    refused = NewConnectionError(None, f"Failed to establish a new connection: {error}")  # type: ignore[arg-type]
    refused.__cause__ = error
    return requests.ConnectionError(MaxRetryError(None, "/", refused))  # type: ignore[arg-type]


@pytest.mark.parametrize("number", EXHAUSTIBLE_RESOURCES, ids=errno.errorcode.__getitem__)
def test_an_exhausted_resource_is_detected_in_plain_and_wrapped_errors(number: int) -> None:
    error = OSError(number, os.strerror(number))
    assert (
        exhausted_resource(error)
        == exhausted_resource(wrapped_as_requests_does(error))
        == EXHAUSTIBLE_RESOURCES[number]
    )


@pytest.mark.parametrize(
    "error",
    [
        None,
        "HTTP 500",
        OSError(errno.ECONNREFUSED, "Connection refused"),
        wrapped_as_requests_does(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")),
        TimeoutError("timed out"),
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        OSError("no number"),
    ],
)
def test_errors_of_the_target_or_the_network_are_not_exhausted_resources(error: object) -> None:
    assert exhausted_resource(error) is None


def test_an_error_that_is_its_own_cause_is_handled() -> None:
    error = ValueError("round")
    error.__cause__ = error
    assert exhausted_resource(error) is None


def test_the_reserve_releases_its_descriptors_and_opens_only_free_ones() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    reserve, taken = Reserve(), take_all()
    try:
        for descriptor in taken[:5]:
            os.close(descriptor)
        reserve.hold()
        assert take_all() == []
        reserve.release()
        again = take_all()
        assert len(again) == 5
        taken[:5] = again
    finally:
        reserve.release()
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def take_all() -> list[int]:
    taken: list[int] = []
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return taken
