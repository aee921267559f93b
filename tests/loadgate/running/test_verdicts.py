"""Test the verdicts of complete runs against small servers."""

from __future__ import annotations

import csv
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from loadgate.run.document import SCHEMA_VERSION
from tests.loadgate.running.support import (
    ERROR,
    FAIL,
    FULL,
    INCONCLUSIVE,
    PASS,
    assert_artefacts,
    document,
    free_port,
    locust,
    master_ports,
    rule_of,
    run_folder,
)
from tests.loadgate.stub_server import StubServer, stub_server


@dataclass(frozen=True)
class Passed:
    """A run that passed, with Locust's own files: what it printed, left, and asked for."""

    done: subprocess.CompletedProcess[str]
    folder: Path
    received: Counter[str]


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Passed:
    folder = tmp_path_factory.mktemp("passed")
    options = ("--html", "out/a/report.html", "--csv", "out/b/results")
    with stub_server() as stub:
        done = locust(folder, "--host", stub.url, *options, LOAD_PROFILE="roomy")
    assert done.returncode == PASS, done.stdout + done.stderr
    return Passed(done, folder, stub.received)


@pytest.mark.xdist_group("passed")
def test_a_fast_target_passes_and_every_request_is_in_the_record(passed: Passed) -> None:
    assert_artefacts(passed.folder)
    run = document(passed.folder)
    assert run["schema_version"] == SCHEMA_VERSION
    assert run["run"]["ending"] == "completed"
    assert {item["name"]: item["requests"] for item in run["totals"]["requests"]} == {
        "Quick - Ping": passed.received["/ping"],
        "GET /plain": passed.received["/plain"],
    }
    assert {item["group"] for item in run["totals"]["requests"]} == {"quick"}
    assert "PASS: all 2 rules held" in passed.done.stdout
    assert 'tests="2" failures="0" errors="0"' in (run_folder(passed.folder) / "junit.xml").read_text()


def test_a_duplicate_rule_counts_once(tmp_path: Path, stub: StubServer) -> None:
    locust(tmp_path, "--host", stub.url, LOAD_PROFILE="repeating")
    rules = [rule["rule"] for rule in document(tmp_path)["verdict"]["rules"]]
    assert rules == ["quick: p95 < 5000ms", "overall: failures < 10%"]
    metrics = [line.split("} ")[0] for line in (run_folder(tmp_path) / "metrics.prom").read_text().splitlines()]
    assert 'loadgate_rule_limit{profile="repeating",rule="quick: p95 < 5000ms"' in metrics
    assert len([line for line in metrics if "{" in line]) == len({line for line in metrics if "{" in line})


@pytest.mark.parametrize("fail_every", [0, 1])
def test_requests_of_plain_locust_users_have_traces(tmp_path: Path, stub: StubServer, fail_every: int) -> None:
    stub.fail_every = fail_every
    locust(tmp_path, "--host", stub.url, LOAD_PROFILE="plain")
    run = document(tmp_path)
    sent = {header.split("-")[1] for header in stub.traceparents}
    assert len(stub.traceparents) == stub.total
    own = "0af7651916cd43dd8448eb211c80319c"
    assert len(sent) == stub.received["/ping"] + 1
    kept = [*run["slowest"], *(example for error in run["errors"] for example in error["examples"])]
    # Of each name's failures some are kept, of successes the slowest alone.
    assert {request["name"] for request in kept} == {"requests", "fast", "GET /own"} or not fail_every
    assert kept
    assert {request["trace_id"] for request in kept} <= sent
    assert all((request["trace_id"] == own) == (request["name"] == "GET /own") for request in kept)


@pytest.mark.parametrize("delay_s", [pytest.param(0.15, marks=FULL), 0.104])
def test_a_slow_target_fails_its_limit(tmp_path: Path, stub: StubServer, delay_s: float) -> None:
    stub.delay_s = delay_s
    done = locust(tmp_path, "--host", stub.url, LOAD_PROFILE="tight")
    assert done.returncode == FAIL, done.stdout + done.stderr
    rule = rule_of(document(tmp_path), "quick")
    assert rule["outcome"] == "fail"
    assert rule["value"] >= delay_s * 1000
    assert 'tests="2" failures="1"' in (run_folder(tmp_path) / "junit.xml").read_text()


def test_more_errors_than_the_limit_allows_fail(tmp_path: Path, stub: StubServer) -> None:
    stub.fail_every = 8
    done = locust(tmp_path, "--host", stub.url, "-u", "10", LOAD_PROFILE="roomy")
    assert done.returncode == FAIL, done.stdout + done.stderr
    run = document(tmp_path)
    assert run["totals"]["overall"]["failures"] == stub.total // 8
    assert {error["text"] for error in run["errors"]} <= {"Failed: 500", "HTTP 500"}


def test_a_run_without_a_request_is_inconclusive(tmp_path: Path, stub: StubServer) -> None:
    done = locust(tmp_path, "--host", stub.url, "-u", "0", "-t", "1s", LOAD_PROFILE="roomy")
    assert done.returncode == INCONCLUSIVE, done.stdout + done.stderr
    assert document(tmp_path)["verdict"]["reason"] == "no request was recorded"


def test_an_unreachable_target_is_one_line_and_no_load(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = locust(tmp_path, "--host", url, LOAD_PROFILE="roomy")
    assert done.returncode == ERROR
    assert [line for line in done.stderr.splitlines() if line.startswith("loadgate: ")] == [
        f"loadgate: target: {url} is not reachable (Connection refused)"
    ]
    assert not (tmp_path / "reports").exists()


def test_the_run_waits_for_slow_requests_in_flight(tmp_path: Path, stub: StubServer) -> None:
    done = locust(tmp_path, "--host", stub.url, LOAD_PROFILE="slow")
    assert done.returncode == PASS, done.stdout + done.stderr
    overall = document(tmp_path)["totals"]["overall"]
    assert overall["requests"] == stub.received["/slow"] == 4
    assert overall["failures"] == 0
    assert overall["success_ms"]["min"] >= 2500


def test_a_request_without_a_response_is_a_failure_with_its_waiting_time(tmp_path: Path, stub: StubServer) -> None:
    done = locust(tmp_path, "--host", stub.url, "--stop-timeout", "1", LOAD_PROFILE="hanging")
    assert done.returncode == FAIL, done.stdout + done.stderr
    run = document(tmp_path)
    (hanging,) = [item for item in run["totals"]["requests"] if item["name"] == "GET /hang"]
    assert (hanging["requests"], hanging["failures"]) == (1, 1)
    assert hanging["failure_ms"]["min"] >= 2500
    assert "no answer when the run ended" in {error["text"] for error in run["errors"]}


@pytest.mark.parametrize("processes", [[], pytest.param(["--processes", "2"], marks=FULL)])
def test_no_request_in_flight_is_lost_for_any_client_or_greenlet(
    tmp_path: Path, stub: StubServer, processes: list[str]
) -> None:
    more = [*processes, *(master_ports() if processes else [])]
    done = locust(tmp_path, "--host", stub.url, "--stop-timeout", "4", *more, LOAD_PROFILE="left")
    assert done.returncode == PASS, done.stdout + done.stderr
    run = document(tmp_path)
    assert run["totals"]["overall"]["requests"] == stub.total
    assert {item["name"]: (item["requests"], item["failures"]) for item in run["totals"]["requests"]} == {
        "requests": (1, 1),
        "GET /hang": (1, 1),
        "GET /again": (1, 0),
        "GET /pondered": (1, 0),
        "spawned": (1, 1),
        "spawned and slow": (1, 0),
        "spawned and pondered": (1, 0),
    }
    assert run["totals"]["overall"]["failure_ms"]["min"] >= 4000
    assert {error["text"] for error in run["errors"]} == {"no answer when the run ended"}
    sent = {header.split("-")[1] for header in stub.traceparents}
    examples = [example for error in run["errors"] for example in error["examples"]]
    assert {example["name"] for example in examples} == {"requests", "GET /hang", "spawned"}
    assert {example["trace_id"] for example in examples} <= sent


def test_exceptions_of_user_code_are_recorded_and_prevent_a_pass(tmp_path: Path, stub: StubServer) -> None:
    done = locust(tmp_path, "--host", stub.url, LOAD_PROFILE="raising")
    assert done.returncode == INCONCLUSIVE, done.stdout + done.stderr
    run = document(tmp_path)
    assert [rule["outcome"] for rule in run["verdict"]["rules"]] == ["pass"]
    assert "the suite raised an exception" in run["verdict"]["reason"]
    texts = {exception["text"]: exception["count"] for exception in run["exceptions"]}
    assert texts["RuntimeError: the scenario is broken"] == stub.received["/outside"]
    assert texts["KeyError: 'missing'"] == stub.received["/inside"]
    (inside,) = [item for item in run["totals"]["requests"] if item["name"] == "GET /inside"]
    assert inside["failures"] == inside["requests"] == stub.received["/inside"]


@pytest.mark.parametrize("processes", [[], pytest.param(["--processes", "2"], marks=FULL)])
def test_an_impossible_sample_is_rejected_and_reported(tmp_path: Path, stub: StubServer, processes: list[str]) -> None:
    more = [*processes, *(master_ports() if processes else [])]
    done = locust(tmp_path, "--host", stub.url, *more, LOAD_PROFILE="rejected")
    assert done.returncode == INCONCLUSIVE, done.stdout + done.stderr
    assert_artefacts(tmp_path)
    run = document(tmp_path)
    (rule,) = run["verdict"]["rules"]
    assert (rule["outcome"], rule["value"]) == ("pass", 0)
    (ping,) = run["totals"]["requests"]
    assert (ping["name"], ping["requests"]) == ("GET /ping", stub.total)
    (note,) = run["verdict"]["notes"]
    assert note.startswith(f"{6 * stub.total} samples were rejected (first: too long: times must be finite")
    assert note in run["verdict"]["reason"]


@pytest.mark.xdist_group("passed")
def test_locusts_own_html_and_csv_are_written_into_missing_folders(passed: Passed) -> None:
    assert "</html>" in (passed.folder / "out/a/report.html").read_text()
    for name in ("results_stats.csv", "results_stats_history.csv", "results_failures.csv"):
        assert (passed.folder / "out/b" / name).exists()


def has_three_digits(text: str) -> bool:
    """Return whether a time has a fraction or is at least 100 ms. Locust rounds shorter ones to two digits."""
    return "." in text or float(text) >= 100


@pytest.mark.xdist_group("passed")
def test_locusts_own_tables_show_times_as_they_were_measured(passed: Passed) -> None:
    rows = list(csv.DictReader((passed.folder / "out/b/results_stats.csv").read_text().splitlines()))
    assert [row["Name"] for row in rows] == ["/plain", "Quick - Ping", "Aggregated"]
    for row in rows:
        times = [text for column, text in row.items() if column.endswith(("Time", "%"))]
        assert all(map(has_three_digits, times)), row
    # Of the table of all requests the last one printed; percentiles are printed once.
    *_, totals, percentiles = [line for line in passed.done.stderr.splitlines() if " Aggregated " in line]
    counts, times, rates = (part.split() for part in totals.partition("Aggregated")[2].split("|"))
    assert len(counts) == len(rates) == 2
    assert len(times) == 4
    assert all(map(has_three_digits, times)), totals
    *times, requests = percentiles.split()[1:]
    assert len(times) == 11
    assert all(map(has_three_digits, times)), percentiles
    assert int(requests) == int(counts[0]) == sum(passed.received.values())


def test_a_saturated_generator_makes_latencies_inconclusive(tmp_path: Path, stub: StubServer) -> None:
    stub.delay_s = 0.15
    done = locust(tmp_path, "--host", stub.url, LOAD_PROFILE="tight", TEST_LAG_LIMIT_MS="0")
    assert done.returncode == INCONCLUSIVE, done.stdout + done.stderr
    run = document(tmp_path)
    assert rule_of(run, "quick")["outcome"] == "inconclusive"
    assert "the load generator was saturated" in rule_of(run, "quick")["reason"]
    assert rule_of(run, "overall")["outcome"] == "pass"
    (generator,) = run["generator"]
    assert generator["lag_samples"] > 10
    assert 0 < generator["cpu_mean_share"] <= 1.1
    assert "event-loop lag" in generator["problem"]
