"""Test what happens to the folder of a run after its end."""

from __future__ import annotations

import io
import signal
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadgate.runner import upload
from loadgate.runner.delivery import Delivery, DeliveryError, deliver
from loadgate.runner.signals import Signals
from loadgate.runner.upload import put
from tests.loadgate.stub_server import StubServer, stub_server

TOKEN = "a-secret"


@pytest.fixture
def store() -> Iterator[StubServer]:
    with stub_server() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "20260501T120000Z-light"
    (made / "logs").mkdir(parents=True)
    (made / "run.json").write_text("{}")
    (made / "logs" / "api.log").write_text("a line\n")
    return made


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "WAITS_S", (0.0, 0.0))


def sent(folder: Path, url: str, token: str = "", *, give_up: bool = False) -> list[str]:
    said: list[str] = []
    put(folder, Delivery(url, token), lambda: give_up, said.append)
    return said


def problem_of(folder: Path, url: str, token: str = "") -> str:
    with pytest.raises(DeliveryError) as refused:
        sent(folder, url, token)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def files_of(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        opened = {item.name: tar.extractfile(item) for item in tar.getmembers() if item.isfile()}
        return {name: file.read() for name, file in opened.items() if file is not None}


@pytest.mark.parametrize(
    ("url", "stored_at"),
    [
        ("/run.tar.gz", "/run.tar.gz"),
        ("/runs/?sig=a%2Fb", "/runs/20260501T120000Z-light.tar.gz?sig=a%2Fb"),
        ("", "/20260501T120000Z-light.tar.gz"),
    ],
)
def test_the_folder_arrives_as_one_archive(store: StubServer, folder: Path, url: str, stored_at: str) -> None:
    (line,) = sent(folder, store.url + url, TOKEN)
    assert list(store.stored) == [stored_at]
    assert files_of(store.stored[stored_at]) == {
        "20260501T120000Z-light/run.json": b"{}",
        "20260501T120000Z-light/logs/api.log": b"a line\n",
    }
    assert store.authorizations == {f"Bearer {TOKEN}": 1}
    assert line.startswith("storing the run folder (")
    assert "sig" not in line
    assert TOKEN not in line


def test_a_url_with_a_password_needs_no_token(store: StubServer, folder: Path) -> None:
    (line,) = sent(folder, store.url.replace("://", "://me:secret@") + "/x")
    assert store.authorizations == {"Basic bWU6c2VjcmV0": 1}
    assert "secret" not in line


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_server_that_recovers_gets_the_whole_archive(store: StubServer, folder: Path, status: int) -> None:
    store.put_statuses = [status, status]
    sent(folder, f"{store.url}/x")
    assert store.received["PUT /x"] == 3
    assert "20260501T120000Z-light/run.json" in files_of(store.stored["/x"])


def test_a_server_that_does_not_recover_is_given_up(store: StubServer, folder: Path) -> None:
    store.put_statuses = [500] * 9
    assert problem_of(folder, f"{store.url}/x") == f"{store.url}/x returned 500"
    assert store.received["PUT /x"] == 3


@pytest.mark.parametrize("status", [302, 307, 401, 403, 404, 413])
def test_a_refusal_is_final_and_a_redirect_gets_no_token(store: StubServer, folder: Path, status: int) -> None:
    store.put_statuses = [status]
    assert problem_of(folder, f"{store.url}/x?sig=s", TOKEN) == f"{store.url}/x returned {status}"
    assert store.total == 1


def test_nobody_listens(folder: Path) -> None:
    assert problem_of(folder, "http://127.0.0.1:9/x?sig=s").startswith("http://127.0.0.1:9/x does not respond (")


@pytest.mark.parametrize("proxy", ["ftp://me:secret@x", "http://x:port", "socks5://x"])
def test_a_proxy_that_cannot_be_used(folder: Path, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    problem = problem_of(folder, "http://store.example.com/x")
    assert problem.startswith("a proxy in the environment cannot be used: ")
    assert "secret" not in problem


def test_a_server_that_never_answers_is_given_up(
    store: StubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "WITHIN_S", 0.2)
    store.put_statuses = [0]
    assert problem_of(folder, f"{store.url}/x") == "not accepted within 200ms"


def test_an_interrupt_ends_the_sending(store: StubServer, folder: Path) -> None:
    store.put_statuses = [0]
    with pytest.raises(DeliveryError, match="interrupted"):
        sent(folder, f"{store.url}/x", give_up=True)


def test_a_folder_that_is_too_large_is_not_sent(
    store: StubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "MOST_BYTES", 8)
    assert problem_of(folder, f"{store.url}/x") == "it has 9 B; the limit is 8 B"
    assert store.total == 0


@pytest.mark.parametrize(
    "url", ["ftp://x/y", "x", "http://", "http://x:99999/", "http://x:0/", "http://[::1", "http://x/a b", "http://x/é"]
)
def test_a_url_that_cannot_work_is_refused_before_the_run(url: str) -> None:
    problem = Delivery(f"{url}?sig=s").problem()
    assert problem is not None
    assert "is not an http:// or https:// address" in problem
    assert "sig" not in problem


@pytest.mark.parametrize("token", ["a\nb", "a b", "é", "a\x00"])
def test_a_token_that_no_header_can_contain_is_refused_and_not_shown(token: str) -> None:
    problem = Delivery("http://x/", token).problem()
    assert problem == "LOADGATE_PUT_TOKEN contains a character that a header cannot contain"
    assert token not in repr(Delivery("http://x/", token))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_time_for_which_the_folder_is_kept(folder: Path, number: signal.Signals) -> None:
    said: list[str] = []
    with Signals() as signals:
        threading.Timer(0.2, signal.raise_signal, [number]).start()
        assert deliver(folder, Delivery(keep_s=3600), signals, said.append)
    (line,) = said
    assert line.startswith("the run folder is kept for 1 h, or until SIGTERM: ")


def test_the_folder_is_kept_for_the_given_time_and_after_it_was_not_stored(folder: Path) -> None:
    said: list[str] = []
    began = time.monotonic()
    with Signals() as signals:
        assert not deliver(folder, Delivery("http://127.0.0.1:9/", keep_s=0.3), signals, said.append)
    assert time.monotonic() - began >= 0.3
    sending, failed, kept = said
    assert sending.startswith("storing the run folder (")
    assert failed.startswith(
        "loadgate: the run folder was not stored: http://127.0.0.1:9/20260501T120000Z-light.tar.gz "
    )
    assert kept.startswith("the run folder is kept for 0.3 s, or until SIGTERM: ")


def test_sigterm_does_not_end_the_sending(store: StubServer, folder: Path) -> None:
    with Signals() as signals:
        signal.raise_signal(signal.SIGTERM)
        assert deliver(folder, Delivery(f"{store.url}/x"), signals, lambda _: None)
    assert list(store.stored) == ["/x"]
