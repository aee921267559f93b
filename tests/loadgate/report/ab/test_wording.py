"""Test the texts that the page, the summary and the console share."""

from __future__ import annotations

import shlex

import pytest

from loadgate.report.ab import wording
from loadgate.report.ab.document import SideRecord
from tests.loadgate.report.ab.documents import change, failed, many_rules, plan, result


def test_the_command_names_the_commits_the_seed_and_the_margins() -> None:
    clean = plan().model_copy(update={"head": SideRecord(label="b", commit="336552c0" * 5), "ignore": 0.025})
    assert wording.command(clean) == (
        "loadgate ab b619dea0b619 336552c03365 --profile medium --rate 20/s --pairs 10 --measure 20s --settle 5s "
        "--ignore 2.5% --worse 10% --ignore-ms 0.5 --seed 42"
    )
    assert wording.command_notes(clean) == ""


def test_the_command_of_deployments_has_their_urls_and_the_locustfile() -> None:
    sides = {name: SideRecord(label=url, url=url) for name, url in (("base", "http://a"), ("head", "http://b"))}
    deployed = plan().model_copy(update={**sides, "locustfile": "load tests/a.py", "rate_per_s": 12.5})
    words = shlex.split(wording.command(deployed))
    assert words[:6] == ["loadgate", "ab", "--base-url", "http://a", "--head-url", "http://b"]
    assert words[words.index("--rate") + 1] == "12.5/s"
    assert words[-2:] == ["--locustfile", "load tests/a.py"]
    assert wording.command_notes(deployed) == "It needs the same deployments. Their versions are not known here."


@pytest.mark.parametrize(
    ("number", "end"), [(4, "group 0: p95."), (5, ", and 1 more rule."), (7, ", and 3 more rules.")]
)
def test_a_sentence_lists_few_rules(number: int, end: str) -> None:
    found = wording.power_sentence(result([change(f"group {n}", half=0.01 * (n + 1)) for n in range(number)]))
    assert found.endswith(end)


def test_pairs_that_were_left_out_are_counted() -> None:
    assert wording.measured_pairs(many_rules().result) == 20
    assert wording.measured_pairs(failed().result) == 10
