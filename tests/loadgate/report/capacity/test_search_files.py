"""The conclusion of a search, and the files made from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loadgate.analysis.capacity.plan import End, Ending, Fit, NextTrial
from loadgate.analysis.capacity.search import Search
from loadgate.exit_codes import ExitCode
from loadgate.report.capacity.artefacts import SEARCH_FILES
from loadgate.report.capacity.curve import charts
from loadgate.report.capacity.document import FRESH, CapacityDocument, ResourceUse
from loadgate.report.capacity.history import capacities_json, capacities_text, past_searches
from loadgate.report.capacity.page import html_page
from loadgate.report.capacity.stored import capacity_on, load_hash, stored_searches
from loadgate.report.capacity.summary import markdown_summary
from loadgate.report.capacity.text import capacity_text, trial_line
from loadgate.report.capacity.use import gave_out
from loadgate.report.fingerprint import short_hash
from loadgate.report.pruning import Pruned, prune
from loadgate.report.rebuilding import rebuild
from loadgate.run.document.environment import EnvironmentRecord, FingerprintRecord, MachineClassRecord, MachineRecord
from loadgate.run.document.parts import iso_time
from tests.loadgate.analysis.capacity.made_trials import plan, trial, void
from tests.loadgate.report.ab.documents import HOSTILE
from tests.loadgate.report.capacity.searches import FOUND, RULE, document, level, record


def test_the_conclusion_names_the_bounds_what_broke_and_what_gave_out() -> None:
    found = document().result
    assert found.sentence == (
        "sustains 184/s [holds at 184, breaks at 192]; first to break: auth: p95 < 500ms (900 ms); "
        "CPU 1.98 of 2 cores; database connections: waits of 96.0 ms"
    )
    assert (found.first_broken, found.broken_value) == (RULE, "900 ms")
    (rule,) = found.rules
    assert (rule.holds_per_s, rule.breaks_per_s) == (184, 192)


@pytest.mark.parametrize(
    ("end", "at_least", "code", "words"),
    [
        (FOUND, None, ExitCode.PASS, "sustains 184/s"),
        (End(Ending.BETWEEN, 92, 192, "the budget ended", is_confirmed=True), None, ExitCode.PASS, "109 % apart"),
        (End(Ending.BETWEEN, 184, 192, "the budget ended"), None, ExitCode.INCONCLUSIVE, "not confirmed"),
        (End(Ending.BETWEEN, None, 192, "the budget ended"), None, ExitCode.INCONCLUSIVE, "breaks at 192/s"),
        (End(Ending.BETWEEN, None, None, "it was late"), None, ExitCode.INCONCLUSIVE, "it was late"),
        (
            End(Ending.AT_LEAST, 420, None, "the generator ended the search", is_confirmed=True, by_generator=True),
            None,
            ExitCode.INCONCLUSIVE,
            "at least 420/s; the generator ended the search",
        ),
        (End(Ending.NONE, None, 0.31), None, ExitCode.FAIL, "no rate holds: 0.31/s, the lowest tried, breaks"),
        (End(Ending.AT_LEAST, 150, None), 150, ExitCode.PASS, "sustains at least 150/s"),
        (End(Ending.BETWEEN, None, 192), 192, ExitCode.FAIL, "does not sustain 192/s"),
        (End(Ending.BETWEEN, None, None, "it is undecided after 4 trials"), 150, ExitCode.INCONCLUSIVE, "undecided"),
    ],
)
def test_each_end_has_an_exit_code_and_a_sentence(end: End, at_least: float | None, code: ExitCode, words: str) -> None:
    found = document(end, at_least=at_least)
    assert found.exit_code is code
    assert words in found.result.sentence


def test_the_text_fits_the_terminal() -> None:
    text = capacity_text(document(), Path("capacity.html"), 80)
    assert text.strip().startswith("PASS: sustains 184/s [holds at 184, breaks at 192]")
    assert max(map(len, text.splitlines())) <= 80
    assert "192/s" in text
    assert f"{RULE}: holds at 184/s, breaks at 192/s" in text
    assert "not judged: auth: requests > 10" in text


def test_an_undecided_rate_says_which_rule_and_how_many_requests_it_needs() -> None:
    """At 5 %, 127 requests without a bad one show that the rule holds (calc: 2.5758² · 0.95 / 0.05 = 126.06)."""
    end = End(Ending.BETWEEN, None, None, "the budget ended")
    found = document(end, rates={20: 0.0}, seconds=1)
    assert f"undecided: {RULE}" in capacity_text(found, None)
    assert f"<td>{RULE.replace('<', '&lt;')}</td>" in html_page(found)
    assert found.result.sentence == (
        "no rate was found to hold; the budget ended; "
        f"at 20/s, {RULE} cannot hold with 100 requests; it needs at least 127, so a longer --trial would decide"
    )
    assert f"{RULE}: undecided at every rate" in capacity_text(found, None)
    nothing = capacity_text(document(end, rates={}), None)
    assert "TRIALS" not in nothing
    assert RULE not in nothing


def test_the_cpu_of_other_processes_is_not_that_of_the_target() -> None:
    machine = ResourceUse(resource="machine", quantity="cpu", used=1.9, limit=2.0)
    found = record(level(192, 1.0)).model_copy(
        update={"resources": [machine, ResourceUse(resource="api", quantity="cpu", used=0.1)]}
    )
    assert gave_out(found) == ["CPU 1.90 of 2 cores, of which the target used 0.100"]
    assert gave_out(found.model_copy(update={"resources": [machine]})) == ["CPU 1.90 of 2 cores"]


def test_the_summary_has_a_row_for_each_rate() -> None:
    lines = markdown_summary(document()).splitlines()
    assert lines[0].startswith("### PASS: sustains 184/s")
    assert sum(line.startswith("| ") for line in lines) == 2 + len(document().levels)


def test_the_page_draws_the_curve_and_the_bounds() -> None:
    latency, cpu = charts(document())
    assert [line.name for line in latency.lines] == ["p50", "p95", "p99"]
    assert all(len(line.points) == 5 for line in latency.lines)
    assert latency.holds is not None
    assert latency.breaks is not None
    assert latency.holds < latency.breaks
    assert [line.name for line in cpu.lines] == ["CPU"]
    page = html_page(document())
    assert "<script" not in page
    assert page.count("<circle class=") == 4 * 5
    assert 'href="trials/01/report.html"' in page


UNCONFIRMED = End(Ending.BETWEEN, 184, 192, "the budget ended")
STOPPED = replace(FOUND, ending=Ending.BETWEEN, reason="the search was interrupted", is_stopped=True)
AT_LEAST = End(Ending.AT_LEAST, 420, None, "the generator ended the search", is_confirmed=True, by_generator=True)


@pytest.mark.parametrize(
    ("end", "rules", "code", "line"),
    [
        (FOUND, "capacity >= 184/s", ExitCode.PASS, "PASS capacity >= 184/s: holds at 184/s"),
        (FOUND, "capacity > 184/s", ExitCode.INCONCLUSIVE, "undecided: holds at 184/s and breaks at 192/s"),
        (FOUND, "capacity >= 192/s", ExitCode.FAIL, "FAIL capacity >= 192/s: breaks at 192/s"),
        (FOUND, "capacity >= 100/s\ncapacity >= 500/s", ExitCode.FAIL, "PASS capacity >= 100/s"),
        (UNCONFIRMED, "capacity >= 100/s", ExitCode.INCONCLUSIVE, "holds at 184/s, but this is not confirmed"),
        (AT_LEAST, "capacity >= 400/s", ExitCode.PASS, "PASS capacity >= 400/s: holds at 420/s"),
        (AT_LEAST, "capacity >= 500/s", ExitCode.INCONCLUSIVE, "INCONCLUSIVE capacity >= 500/s: undecided"),
        (STOPPED, "capacity >= 100/s", ExitCode.INCONCLUSIVE, "PASS capacity >= 100/s: holds at 184/s"),
        (STOPPED, "capacity >= 200/s", ExitCode.FAIL, "FAIL capacity >= 200/s: breaks at 192/s"),
        (End(Ending.NONE, None, 0.31), "capacity >= 1/s", ExitCode.FAIL, "FAIL capacity >= 1/s: breaks at 0.31/s"),
    ],
)
def test_rules_on_the_capacity_decide(end: End, rules: str, code: ExitCode, line: str) -> None:
    found = document(end, rules=rules)
    assert found.exit_code is code
    assert line in capacity_text(found, None)
    assert line in markdown_summary(found).replace("&gt;", ">").replace("\\>", ">")
    assert "Limits of the capacity" in html_page(found)
    assert "Limits of the capacity" not in html_page(document())


def test_the_history_shows_the_limit(tmp_path: Path) -> None:
    SEARCH_FILES.write(document(rules="capacity >= 150/s"), tmp_path / "20260501T000000Z-medium")
    found = past_searches(tmp_path, None, 20)
    _, head, row = capacities_text(found, can_show_bars=False)
    assert head.split()[6] == "LIMIT"
    assert ">= 150/s  PASS" in row
    assert capacities_json(found)[0]["limits"] == [
        {"rule": "capacity >= 150/s", "outcome": "pass", "reason": "holds at 184/s"}
    ]


def test_bounds_of_a_curve_name_its_rule_and_the_budget_that_would_bring_them_closer() -> None:
    end = End(Ending.BETWEEN, 150, 170, "the budget ended", True, fit=Fit(RULE, 14), wanted_budget_s=5000)
    found = document(end).result
    assert found.sentence.startswith(
        "sustains 150/s [holds at 150, breaks at 170, 13.3 % apart]; the budget ended; "
        "the bounds come from a curve through 14 trials; --budget 1h30m would bring them within about 5 %; "
        f"first to break: {RULE}; "
    )
    assert (found.curve_trials, found.wanted_budget_s) == (14, 5000)


def test_hostile_text_stays_text() -> None:
    found = document(profile=HOSTILE)
    page = html_page(found)
    assert "<script>alert" not in page
    assert "<script" not in markdown_summary(found)
    assert "\x1b" not in capacity_text(found, None)


def test_the_files_are_written_and_written_again(tmp_path: Path) -> None:
    folder = tmp_path / "20260501T000000Z-medium"
    page = SEARCH_FILES.write(document(), folder)
    first = page.read_text()
    assert CapacityDocument.read(folder) == document()
    page.unlink()
    assert rebuild(folder) == [page]
    assert page.read_text() == first


def test_stored_searches_are_found_newest_first(tmp_path: Path) -> None:
    for number in (1, 2):
        newer = document(started_at=iso_time(1_777_593_600.0 + number))
        SEARCH_FILES.write(newer, tmp_path / f"2026050{number}T000000Z-medium")
    (tmp_path / "20260509T000000Z-broken").mkdir()
    (tmp_path / "20260509T000000Z-broken" / "capacity.json").write_text("{")
    assert [name[:8] for name, _ in stored_searches(tmp_path)] == ["20260502", "20260501"]
    assert list(stored_searches(tmp_path, "light")) == []
    assert list(stored_searches(tmp_path / "missing")) == []


def test_the_history_has_a_line_for_each_profile(tmp_path: Path) -> None:
    for number, profile in enumerate(("light", "medium", "medium"), 1):
        SEARCH_FILES.write(document(profile=profile), tmp_path / f"2026050{number}T000000Z-{profile}")
    SEARCH_FILES.write(document(End(Ending.AT_LEAST, 150, None), at_least=150), tmp_path / "20260504T000000Z-medium")
    found = past_searches(tmp_path, None, 20)
    assert [name[-6:] for name, _ in found] == ["medium", "medium", "-light"]
    _, head, *rows = capacities_text(found, can_show_bars=False)
    assert head.split()[:3] == ["PROFILE", "CAPACITY", "HOLDS"]
    assert [row.split() for row in rows] == [
        ["medium", "per", "second", "184", "192", "-", "PASS", "55"],
        ["light", "per", "second", "184", "192", "-", "PASS", "5"],
    ]
    assert [one["holds_per_s"] for one in capacities_json(found)] == [184, 184, 184]
    assert capacities_text([], can_show_bars=True) == []


def test_a_capacity_is_used_again_only_for_the_same_load_machine_and_target(tmp_path: Path) -> None:
    machine = MachineClassRecord(cpu="A", usable_cores=2, cpu_limit=None, memory_limit_bytes=None)
    fingerprint = FingerprintRecord(
        machine=short_hash(machine.model_dump(mode="json")), profile="p", rules="r", suite=None, test=None
    )
    made_on = EnvironmentRecord(
        git=None,
        machine=MachineRecord(name="a", system="b", processor="c", cores=2, memory_bytes=1),
        versions={},
        fingerprint=fingerprint,
    )
    stored = document().model_copy(update={"made_on": made_on})
    SEARCH_FILES.write(stored, tmp_path / "20260501T000000Z-medium")
    found = capacity_on(tmp_path, stored.load_hash, machine, FRESH)
    assert found is not None
    assert found[0] == "20260501T000000Z-medium"
    assert capacity_on(tmp_path, "other", machine, FRESH) is None
    assert capacity_on(tmp_path, stored.load_hash, machine.model_copy(update={"cpu": "B"}), FRESH) is None
    assert capacity_on(tmp_path, stored.load_hash, machine, "http://a.example.com") is None
    unconfirmed = document(End(Ending.BETWEEN, 184, 192, "the budget ended")).model_copy(update={"made_on": made_on})
    SEARCH_FILES.write(unconfirmed, tmp_path / "20260501T000000Z-medium")
    assert capacity_on(tmp_path, stored.load_hash, machine, FRESH) is None
    assert load_hash("a", {"x": 1}) != load_hash("a", {"x": 2})


def test_old_searches_are_pruned(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        SEARCH_FILES.write(document(), tmp_path / "capacity" / f"2026050{number}T000000Z-medium")
    assert prune(tmp_path, "light", 1, 0) == Pruned(0, 0, 0)
    assert prune(tmp_path, "medium", 1, 0) == Pruned(0, 0, 2)
    assert [path.name[:8] for path in (tmp_path / "capacity").iterdir()] == ["20260503"]


def test_each_trial_has_a_line_also_if_none_of_its_rate_counts() -> None:
    """A target that a higher rate has broken, and that is then slow at each rate, may not have recovered."""
    searching, lines = Search(plan(first=40, is_fresh=False)), []
    for number in range(1, 4):
        step = searching.step()
        assert isinstance(step, NextTrial)
        measured = trial(step.rate_per_s, 1, length_s=step.length_s)
        measured = void(step.rate_per_s, by_generator=False) if number == 1 else measured
        searching.add(step, measured, 30)
        lines.append(trial_line(number, step, measured, searching.level_at(step.rate_per_s), 900.0))
    assert lines == [
        "trial 1 (growing): 40/s for 15 s proves nothing: it was late",
        "trial 2 (again): 40/s for 30 s, p95 900 ms, breaks: overall: p95 < 500ms",
        (
            "trial 3 (narrowing): 10/s for 30 s, p95 900 ms, is not counted, "
            "because the target may still be slow from the rate before"
        ),
    ]
