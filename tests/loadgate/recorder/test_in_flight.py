"""Test the mean number of requests in flight against the definition, by intervals."""

import random
from collections.abc import Iterable

import pytest

from loadgate.recorder import OVERALL, FinishedRequest, InFlight, Outcome, Recorder, RequestName, Scope
from loadgate.recorder.cells import ROLL_UPS
from loadgate.recorder.in_flight import SharedTime
from loadgate.recorder.slot_sums import unpack_sums
from tests.loadgate.recorder.filling import START_S, fill


def request(start_s: float, latency_ms: float | None, name: str = "page", group: str = "web") -> FinishedRequest:
    return FinishedRequest(name, Outcome.SUCCESS, START_S + start_s, latency_ms, group=group)


def run(*requests: FinishedRequest) -> Recorder:
    recorder = Recorder()
    for one in requests:
        recorder.record(one)
    return recorder


def means(recorder: Recorder, scope: Scope = OVERALL) -> dict[int, float]:
    return {slot.start_s - START_S: pytest.approx(slot.mean, abs=1e-5) for slot in recorder.in_flight(scope)}


def overlap(requests: Iterable[tuple[float, float]], second: int) -> float:
    return sum(max(0.0, min(end_s, second + 1) - max(start_s, second)) for start_s, end_s in requests)


def test_a_request_counts_in_each_second_for_its_part() -> None:
    assert means(run(request(0.75, 3500))) == {0: 0.25, 1: 1.0, 2: 1.0, 3: 1.0, 4: 0.25}
    assert means(run(request(0.25, 500))) == {0: 0.5}
    assert means(run(request(2.0, 1000))) == {2: 1.0}  # it ends at the very start of second 3
    assert means(run(request(2.0, 0.0), request(3.0, None))) == {}


def test_a_stall_without_a_finished_request_shows_its_requests_in_flight() -> None:
    stalled = run(*(request(number / 10, 5010 - number * 100) for number in range(10)))

    assert means(stalled) == {0: 5.5, 1: 10.0, 2: 10.0, 3: 10.0, 4: 10.0, 5: 0.1}
    assert [slot.start_s - START_S for slot in stalled.time_slots()] == [5]


def test_the_mean_of_each_second_is_that_of_the_intervals_and_obeys_littles_law() -> None:
    rnd = random.Random(7)
    recorder, intervals = Recorder(), []
    for _ in range(3000):
        start_s, latency_ms = rnd.random() * 40, rnd.lognormvariate(6, 1.5)
        recorder.record(request(start_s, latency_ms))
        intervals.append((start_s, start_s + latency_ms / 1000))

    found = recorder.in_flight()

    for slot in found:
        assert slot.mean == pytest.approx(overlap(intervals, slot.start_s - START_S), abs=1e-3)
    # L = lambda W over the whole time: the mean in flight is the arrival rate times the mean latency.
    seconds = found[-1].start_s + 1 - found[0].start_s
    latencies = recorder.totals().success
    in_flight = sum(slot.mean * slot.width_s for slot in found) / seconds
    assert in_flight == pytest.approx(latencies.count / seconds * (latencies.mean_ms or 0) / 1000, rel=1e-9)


def test_scopes_are_sums_of_names_without_measures() -> None:
    recorder = run(request(0, 2500), request(0, 1500, "other"), request(1, 3000, "login", "auth"))
    recorder.record_measure("first byte", 1800, at_s=START_S + 3, group="web")

    assert means(recorder, "web") == {0: 2.0, 1: 1.5, 2: 0.5}
    assert means(recorder, RequestName("other", "web")) == {0: 1.0, 1: 0.5}
    assert means(recorder, "login") == means(recorder, "auth") == {1: 1.0, 2: 1.0, 3: 1.0}
    assert means(recorder) == {0: 2.0, 1: 2.5, 2: 1.5, 3: 1.0}
    assert means(recorder, "first byte") == means(recorder, "unknown") == {}


def test_a_name_with_two_methods_has_two_scopes() -> None:
    read, write = (request(0, 1500)._replace(method=method) for method in ("GET", "POST"))
    recorder = Recorder.from_json(run(read, write, write).to_json())

    assert means(recorder, "POST page") == {0: 2.0, 1: 1.0}
    assert means(recorder, RequestName("GET page", "web")) == {0: 1.0, 1: 0.5}
    assert means(recorder.without({"POST"})) == {0: 1.0, 1: 0.5}


def test_a_request_that_was_cut_off_counts_only_its_time() -> None:
    recorder = run(request(0, 1000))
    recorder.record_cut_off(request(0.5, 2000)._replace(outcome=Outcome.FAILURE, name="never ended"))

    assert means(recorder) == {0: 1.5, 1: 1.0, 2: 0.5}
    assert means(recorder, "web") == {0: 1.5, 1: 1.0, 2: 0.5}
    assert recorder.totals().requests == 1
    assert recorder.names() == ["page"]
    assert means(Recorder.from_json(recorder.to_json())) == {0: 1.5, 1: 1.0, 2: 0.5}


@pytest.mark.parametrize(("start_s", "latency_ms"), [(-START_S - 1, 5.0), (0, 25 * 3600e3), (0, float("nan"))])
def test_a_cut_off_request_outside_of_time_is_refused(start_s: float, latency_ms: float) -> None:
    recorder = Recorder()

    with pytest.raises(ValueError, match="cannot be in flight"):
        recorder.record_cut_off(request(start_s, latency_ms))
    assert recorder.in_flight() == []


def test_reports_of_workers_are_merged() -> None:
    whole, master = Recorder(), Recorder()
    for worker_id in ("a", "b"):
        worker = Recorder()
        for number in range(40):
            one = request(number / 7 + (5 if worker_id == "b" else 0), 1700 + number)
            whole.record(one)
            worker.record(one)
            if number == 20:
                master.merge_delta(worker.take_delta(), worker_id)
        delta = worker.take_delta(final=True)
        for _ in range(2):
            master.merge_delta(delta, worker_id)
        assert worker.in_flight() == []

    assert means(master) == {second: mean.expected for second, mean in means(whole).items()}


def test_the_json_form_keeps_all_and_older_forms_have_no_shared_time() -> None:
    recorder = Recorder()
    fill(recorder)
    recorder.record(request(3, 9000))
    data = recorder.to_json()
    older = {key: value for key, value in data.items() if key != "in_flight"}

    assert Recorder.from_json(data).in_flight() == recorder.in_flight()
    assert Recorder.from_json(older).totals() == recorder.totals()
    assert "in_flight" not in run(request(0.1, 10)).to_json()


def test_old_seconds_are_merged_and_the_sum_is_kept() -> None:
    recorder = Recorder()
    for second in range(0, ROLL_UPS[1].older_than_s + 4000, 2):
        recorder.record(request(second + 0.5, 2000))
    recorder.record(request(100.5, 15_000_000))

    found = recorder.in_flight()

    assert {slot.width_s for slot in found} == {1, 10, 60}
    assert sum(slot.mean * slot.width_s for slot in found) == pytest.approx(recorder.totals().success.sum_ms / 1000)
    assert [slot for slot in found if slot.width_s == 60][5].mean == pytest.approx(2.0, abs=0.01)
    assert len(found) < 6000
    assert Recorder.from_json(recorder.to_json()).in_flight() == found


def test_a_request_that_began_in_merged_seconds_counts_in_wider_slots() -> None:
    recorder = run(request(0, 1500), request(5000.5, 100), request(100, 5_000_000))

    found = {slot.start_s - START_S: slot for slot in recorder.in_flight()}

    assert found[1000].width_s == 10
    assert found[1000].mean == found[4000].mean == 1.0
    assert found[5000].mean == pytest.approx(1.1, abs=1e-5)
    assert sum(slot.mean * slot.width_s for slot in found.values()) == pytest.approx(5001.6)


def test_names_beyond_the_maximum_share_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadgate.recorder.recorder.MAX_NAMES", 2)
    recorder = run(*(request(0, 1500, f"page {number}") for number in range(5)))

    assert means(recorder, "(other names)") == {0: 3.0, 1: 1.5}
    assert means(recorder) == {0: 5.0, 1: 2.5}


@pytest.mark.parametrize("columns", ["", "AAAA", "eJwDAAAAAAE="])
def test_a_damaged_form_is_refused_with_one_line(columns: str) -> None:
    with pytest.raises(ValueError, match="sums of slots cannot be read"):
        unpack_sums({"count": 2, "columns": columns})


def test_a_form_without_slots_is_empty() -> None:
    assert unpack_sums(SharedTime().pack()) == []
    assert InFlight(1, 1, 2.0).mean == 2.0
