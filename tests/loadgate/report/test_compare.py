"""`loadgate compare`: run folders as input, what is refused, remarks, text, JSON and exit codes."""

from __future__ import annotations

import json
from math import log1p
from pathlib import Path

import pytest
import typer

from loadgate.errors import CommandError
from loadgate.exit_codes import ExitCode
from loadgate.paths import write_atomically
from loadgate.report.compare.values import Quantity
from loadgate.rules import Unit
from loadgate.run.judgement import EndedBy
from tests.support.command_line import Command, command
from tests.support.made_runs import RULES, Made, keep_run

PASS, FAIL, INCONCLUSIVE = ExitCode.PASS, ExitCode.FAIL, ExitCode.INCONCLUSIVE


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "reports" / "performance" / "runs"


@pytest.fixture
def loadgate(capsys: pytest.CaptureFixture[str]) -> Command:
    return command(capsys, "compare")


def kept(runs: Path, days: range, slow: float = 1.0, **changed: object) -> list[str]:
    """Keep a run of each day, and return the names of their folders."""
    return [keep_run(runs, Made(day=day, seed=day, slow=slow, **changed)).name for day in days]  # type: ignore[arg-type]


def test_single_runs_are_described_and_not_judged(runs: Path, loadgate: Command) -> None:
    kept(runs, range(1))
    kept(runs, range(1, 2), slow=1.5)
    said = loadgate("latest", "--against", "latest-1")
    assert said.code == INCONCLUSIVE
    assert "base: 20260501T000000Z-light (8f14e45fceea)" in said.out
    assert "head: 20260502T000000Z-light" in said.out
    (rule,) = [line for line in said.out.splitlines() if line.startswith("auth: p95")]
    assert rule.split()[-2:] == ["-", "-"]
    assert float(rule.split()[6].removeprefix("+")) > 20
    assert "not judged, because one run on a side needs at least 8 past runs" in said.out
    assert any(line.startswith("  GET auth") for line in said.out.splitlines())


def test_several_runs_a_side_are_judged(runs: Path, loadgate: Command) -> None:
    base, slow, same = kept(runs, range(5)), kept(runs, range(5, 10), slow=1.6), kept(runs, range(10, 15))
    said = loadgate(*slow, "--against", *base)
    assert said.code == FAIL
    assert "rules is worse: auth: p95 (exit code 99)" in said.out
    document = json.loads(loadgate(*slow, "--json", "--against", *base).out)
    rule = next(rule for rule in document["rules"] if rule["rule"] == "auth: p95")
    assert rule["p_value"] <= 0.05
    assert rule["interval"][0] < rule["change"] < rule["interval"][1]
    assert rule["judged_by"] == "runs"
    assert [scope["name"] for scope in document["scopes"]][:3] == ["overall", "auth", "health"]
    better = loadgate(*base, "--against", *slow)
    assert better.code != FAIL
    assert loadgate(*same, "--against", *base).code != FAIL


def test_past_runs_judge_a_single_run(runs: Path, loadgate: Command) -> None:
    kept(runs, range(12), requests=4000)
    (slow,) = kept(runs, range(12, 13), slow=2.0, requests=4000)
    said = loadgate(slow, "--against", "latest-1")
    assert said.code == FAIL
    document = json.loads(loadgate("latest-2", "--json", "--against", "latest-1").out)
    assert document["rules"][0]["judged_by"] == "past runs"
    assert document["rules"][0]["interval"] is not None


def test_few_runs_a_side_say_how_many_are_needed(runs: Path, loadgate: Command) -> None:
    base, head = kept(runs, range(2)), kept(runs, range(2, 4), slow=3.0)
    said = loadgate(*head, "--against", *base)
    assert said.code == INCONCLUSIVE
    assert "2 and 2 runs are too few, because their smallest p-value is 0.333" in said.out


def test_rules_are_compared_in_the_direction_of_their_limit(runs: Path, loadgate: Command) -> None:
    rules = (*RULES, "auth: p50 > 10ms", "auth: max < 10s")
    base, head = kept(runs, range(5), rules=rules), kept(runs, range(5, 10), slow=0.5, rules=rules)
    said = loadgate(*head, "--against", *base)
    assert "rules is worse: auth: p50" in said.out
    document = json.loads(loadgate(*head, "--json", "--against", *base).out)
    rule = {rule["rule"]: rule for rule in document["rules"]}
    assert rule["auth: p50"]["interval"][0] < rule["auth: p50"]["change"] < rule["auth: p50"]["interval"][1] < 0
    assert "outcome" not in rule["auth: max"]
    assert "outcome" not in rule["overall: requests"]


def test_failures_are_compared_as_differences(runs: Path, loadgate: Command) -> None:
    base = kept(runs, range(4))
    head = [keep_run(runs, Made(day=day, seed=day, failures=8 + day % 2)).name for day in range(4, 8)]
    said = loadgate(*head, "--against", *base)
    (rule,) = [line for line in said.out.splitlines() if line.startswith("overall: failures")]
    assert rule.split()[2:4] == ["0", "%"]
    assert "+2.13 points" in rule
    assert rule.endswith("FAIL")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"load": "0th3r", "users": 20}, "have different loads: users 5 and 20; give runs of one profile"),
        ({"load": "0th3r", "profile": "medium"}, "have different loads: name light and medium; "),
        ({"load": "0th3r"}, "have different loads: their hashes differ; "),
        ({"load": None}, "is from an older version of loadgate, which did not store the load; run the profile again"),
    ],
)
def test_runs_of_different_loads_are_refused(
    runs: Path, loadgate: Command, changed: dict[str, object], message: str
) -> None:
    (base,), (head,) = kept(runs, range(1)), kept(runs, range(1, 2), **changed)
    with pytest.raises(CommandError) as refused:
        loadgate(head, "--against", base)
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert refused.value.exit_code == ExitCode.USAGE


def test_a_run_belongs_to_one_side(runs: Path, loadgate: Command) -> None:
    (one,) = kept(runs, range(1))
    with pytest.raises(CommandError, match="is given twice"):
        loadgate(one, "--against", str(runs / one / "run.json"))


@pytest.mark.parametrize(
    ("changed", "remark", "judged"),
    [
        ({"machine": "0th3r"}, "the runs are from different machines (class c1a55c1a55c1 and class 0th3r)", False),
        ({"ended_by": EndedBy.INTERRUPT}, "was interrupted after 1 min, so nothing is judged", False),
        ({"suite": "0th3r"}, "the runs have different suites, so a change can come from the suite", True),
    ],
)
def test_what_limits_a_comparison_is_said(
    runs: Path, loadgate: Command, changed: dict[str, object], remark: str, judged: bool
) -> None:
    base, head = kept(runs, range(5)), kept(runs, range(5, 10), slow=2.0, **changed)
    said = loadgate(*head, "--against", *base)
    assert f"! {remark}" in said.out.replace(f"{head[0]} was", "was")
    assert said.code == (FAIL if judged else INCONCLUSIVE)


def test_few_failures_after_runs_without_failures_are_chance(runs: Path, loadgate: Command) -> None:
    kept(runs, range(12))
    for failures, outcome in ((1, "inconclusive"), (40, "fail")):
        head = keep_run(runs, Made(day=20 + failures, failures=failures)).name
        document = json.loads(loadgate(head, "--json", "--against", "20260512T000000Z-light").out)
        rule = next(rule for rule in document["rules"] if rule["rule"] == "overall: failures")
        assert (rule["judged_by"], rule["outcome"]) == ("past runs", outcome)
        assert (rule["unit"], rule["head"]) == ("fraction", failures / 400)
        assert rule["interval"][0] < rule["change"] < rule["interval"][1]


def test_names_that_are_no_run_are_one_line(runs: Path, loadgate: Command) -> None:
    (one,) = kept(runs, range(1))
    write_atomically(runs / "20260630T120000Z-light" / "run.json", "{")
    for name, message in {
        "nowhere": "no run 'nowhere'; give a folder, a run.json, latest, or a name that loadgate history lists",
        "latest-7": "no run 'latest-7': there is only 1 run, which loadgate history lists",
        "20260630T120000Z-light": "not JSON",
    }.items():
        with pytest.raises(CommandError) as refused:
            loadgate(one, "--against", name)
        assert message in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1
    with pytest.raises(CommandError, match=r"no runs of profile heavy in .*; start one with loadgate run heavy$"):
        loadgate("latest", "--profile", "heavy", "--against", one)
    for arguments in ([one], [one, "--against"], ["--against", one], []):
        with pytest.raises(typer.TyperException):
            loadgate(*arguments)


def test_runs_without_requests_are_described(runs: Path, loadgate: Command) -> None:
    (base,), (head,) = kept(runs, range(1), requests=0), kept(runs, range(1, 2), requests=0)
    said = loadgate(head, "--against", base)
    assert said.code == INCONCLUSIVE
    assert "auth: p95" in said.out


def test_the_text_fits_into_80_columns(runs: Path, loadgate: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    base, head = kept(runs, range(4)), kept(runs, range(4, 8), slow=1.5, failures=3)
    assert max(map(len, loadgate(*head, "--against", *base).out.splitlines())) <= 80


@pytest.mark.parametrize(("in_ramp", "window"), [(0, "steady"), (100, "steady"), (390, "all")])
def test_rules_and_scopes_are_compared_in_one_window(runs: Path, loadgate: Command, in_ramp: int, window: str) -> None:
    # Without the ramp, 10 requests are too few for a percentile of the rule.
    (base,), (head,) = kept(runs, range(1), in_ramp=100), kept(runs, range(1, 2), slow=1.5, in_ramp=in_ramp)
    said = json.loads(loadgate(head, "--json", "--against", base).out)
    assert said["latencies"] == window
    rule = next(rule for rule in said["rules"] if rule["rule"] == "auth: p95")
    scope = next(scope for scope in said["scopes"] if scope["name"] == "auth")
    assert (rule["base"], rule["head"]) == pytest.approx((scope["p95"]["base"], scope["p95"]["head"]), rel=0.02)
    (line,) = [line for line in loadgate(head, "--against", base).out.splitlines() if line.startswith("latencies: ")]
    assert line.startswith("latencies: with" if window == "all" else "latencies: without the ramp")


def test_a_small_absolute_change_of_a_fast_route_is_ignored() -> None:
    fast, slow, rate = Quantity("a: p95", Unit.MS), Quantity("b: p95", Unit.MS), Quantity("c: rate", Unit.PER_SECOND)
    assert fast.margins(2.0) == pytest.approx((log1p(0.25), log1p(0.5)))
    assert slow.margins(50.0) == rate.margins(2.0) == pytest.approx((log1p(0.05), log1p(0.1)))
    assert fast.margins(None) == slow.margins(50.0)
