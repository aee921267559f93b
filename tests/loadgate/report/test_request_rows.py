"""Test the table of requests: limits, shares of a breach, percentiles of few requests, and long names."""

from __future__ import annotations

import re

from loadgate.recorder import FinishedRequest, Outcome
from loadgate.report.html import html_report
from loadgate.run.document import RunDocument
from tests.loadgate.report.runs import KINDS, STARTED_S, bare_run, text_of
from tests.support.run_documents import judged

LONG = "GET /api/v1/organisations/{organisation}/projects/{project}/members"


def run_of(requests: dict[str, tuple[int, float]], *rules: str, failing: str = "") -> RunDocument:
    """A run with so many requests of each name, of such a latency, in the group `g`. Half of `failing` fail."""
    run = bare_run(rules=list(rules))
    for name, (number, latency_ms) in requests.items():
        for at in range(number):
            has_failed = name == failing and at % 2 == 0
            outcome, error = (Outcome.FAILURE, "HTTP 503") if has_failed else (Outcome.SUCCESS, None)
            start_s = STARTED_S + 50 * at / number
            run.recorder.record(FinishedRequest(name, outcome, start_s, latency_ms, error=error, group="g"))
    return judged(run)


def heads(html: str) -> list[str]:
    (head,) = re.findall(r'(?s)<table class="requests sortable">\s*<thead>(.*?)</thead>', html)
    return [text_of(cell) for cell in re.findall(r"(?s)<th .*?</th>", head)]


def rows(html: str) -> dict[str, dict[str, str]]:
    """Return the cells of each row by the name of the row and the column, in the order of the table."""
    columns, found = heads(html), {}
    for row in re.findall(r'(?s)<tr class="row (?:overall|group|request).*?</tr>', html):
        cells = [text_of(cell) for cell in re.findall(r"(?s)<t[hd].*?</t[hd]>", row)]
        found[cells[0]] = dict(zip(columns, cells, strict=True))
    return found


def test_a_row_has_the_limits_of_its_own_name_or_of_its_group() -> None:
    html = html_report(
        run_of(
            {"a": (200, 5.0), "b": (200, 5.0)}, "g: p95 < 100ms", "b: p95 <= 50ms", "b: p99 < 1s", "g: failures < 1%"
        )
    )
    found = {name: cells["Limit"] for name, cells in rows(html).items()}
    assert found == {
        "overall": "-",
        "g": "p95 < 100 ms failures < 1 %",
        "a": "p95 < 100 ms failures < 1 %",
        "b": "p95 <= 50 ms p99 < 1,000 ms",
    }
    assert "Breach" not in heads(html)


def test_a_run_without_rules_on_requests_has_no_column_of_limits() -> None:
    assert "Limit" not in heads(html_report(run_of({"a": (30, 5.0)}, "overall: requests > 1")))


def test_the_requests_that_broke_a_rule_come_first_with_their_share() -> None:
    html = html_report(run_of({"a": (200, 5.0), "slow": (100, 300.0), "some": (5, 150.0)}, "g: p95 < 100ms"))
    found = rows(html)
    assert list(found) == ["overall", "g", "slow broke a rule", "some", "a"]
    assert [cells["Breach"] for cells in found.values()] == ["-", "100 %", "95.2 %", "4.76 %", "0 %"]
    (slow,) = re.findall(r'(?s)<tr class="row request broke".*?</tr>', html)
    assert "g: p95: 100 of 105 requests above 100 ms in the whole run" in " ".join(slow.split())
    bad = [text_of(cell) for cell in re.findall(r'(?s)<td class="bad".*?</td>', slow)]
    assert len(bad) == 2
    assert bad[0].startswith("30")
    assert bad[1] == "p95 < 100 ms"


def test_the_share_of_a_rule_on_failures_is_that_of_the_failures() -> None:
    html = html_report(run_of({"a": (100, 5.0), "b": (40, 5.0)}, "overall: failures < 1%", failing="b"))
    found = rows(html)
    assert found["b broke a rule"]["Breach"] == "100 %"
    assert found["a"]["Breach"] == "0 %"
    assert "20 of 20 failures in the whole run" in html


def test_a_percentile_of_too_few_requests_is_a_dash_with_their_number() -> None:
    html = html_report(run_of({"few": (4, 5.0), "many": (150, 5.0)}, "g: p95 < 100ms"))
    few, many = rows(html)["few"], rows(html)["many"]
    assert [few[column] for column in ("p50", "p95", "p99", "Max")] == ["-", "-", "-", "5.00 ms"]
    assert "-" not in [many[column] for column in ("p50", "p95", "p99", "Max")]
    assert html.count('title="n = 4"') == 3
    assert re.search(r"Successes 5\.00 ms 5\.00 ms - - - - - 5\.00 ms", text_of(html))


def test_a_tile_names_the_number_of_too_few_requests() -> None:
    text = text_of(html_report(run_of({"few": (12, 5.0)}, "g: p95 < 100ms")))
    assert re.search(r"p50 5\.0\d ms p95 - n = 12 p99 - n = 12", text)


def test_a_measure_has_samples_and_no_failures() -> None:
    measures = html_report(KINDS["measured"]()).split("<h3>Measures</h3>")[1]
    assert [head for head in ("Samples/s", "Failed", "Req/s") if f">{head}</th>" in measures] == ["Samples/s"]


def test_a_long_name_is_shortened_in_its_middle_and_still_whole() -> None:
    html = html_report(run_of({LONG: (30, 5.0)}, "g: p95 < 100ms"))
    (name,) = re.findall(rf'<th scope="row" title="{re.escape(LONG)}">(.*?)</th>', html)
    assert "".join(re.split("<.*?>", name)) == LONG
    assert name.startswith("GET /api/v1/organisations/")
    assert '<span class="cut">' in name
    assert '<span class="cut">' not in html_report(run_of({"short": (30, 5.0)}))
