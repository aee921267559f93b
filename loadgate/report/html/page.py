"""Build the page: template, styles, scripts and data in one file that loads no other files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment

from loadgate.report.baseline.text import (
    FIRST_OF_ITS_KIND,
    baseline_line,
    baseline_meaning,
    baseline_problem,
    baseline_warnings,
)
from loadgate.report.beside import Beside
from loadgate.report.cause import breach_lines
from loadgate.report.conclusions import conclusions
from loadgate.report.html import facts
from loadgate.report.html.assembly import PAGE, breakable, encodable, environment, policy, shortened, style
from loadgate.report.html.bounded import bounded
from loadgate.report.html.embedded import embedded_data, packed, run_series
from loadgate.report.html.grid import READABLE_SLOTS
from loadgate.report.html.load import stage_rows, tiles
from loadgate.report.html.requests import SPARK_HEIGHT, SPARK_WIDTH, TIMES, request_columns, request_rows
from loadgate.report.html.resources import drawable, resource_figures, resource_tables
from loadgate.report.html.row_rules import RowRules
from loadgate.report.html.rules import (
    GAUGE_LIMIT,
    GAUGE_WIDTH,
    change_interval,
    rule_condition,
    rule_gauge,
    rule_interval,
    rule_margin,
    rule_why,
)
from loadgate.report.html.series import ChartSeries, names_grid
from loadgate.report.html.timeline import timeline
from loadgate.report.resources import ResourceLine, resource_lines
from loadgate.report.summary import markdown_summary
from loadgate.report.text import further_notes, rule_quantity, rule_subject, verdict_sentence
from loadgate.report.value_changes import change_text
from loadgate.rules import RuleOutcome
from loadgate.run.document import RunDocument
from loadgate.run.document.requests import ExemplarRecord

NOTHING_BESIDE = Beside()
STYLES = ("vendor/uPlot.min.css", "css/base.css", "css/parts.css", "css/charts.css", "css/media.css")
SCRIPTS = (
    "data.js", "format.js", "theme.js", "zoom.js", "chart.js", "timecharts.js", "resources.js", "heatmap.js",
    "spectrum.js", "table.js", "copy.js", "view.js", "main.js",
)  # fmt: skip

OUTCOME_ORDER = ("fail", "inconclusive", "pass")
FAILURES_LAST = ("conclusions", "over_time", "requests", "failures")
FAILURES_FIRST = ("failures", "conclusions", "over_time", "requests")

_LAYOUT = re.compile(r"(?m)^ *(?://.*\n|/\*\*(?:[^*]|\*(?!/))*\*/\n)?")
"""A comment that has its lines to itself, or an indentation. The page contains none, which saves 4 % of its size."""


def html_report(document: RunDocument, series: ChartSeries | None = None, beside: Beside = NOTHING_BESIDE) -> str:
    """Return the page of one run, made from its run.json. `series` can be given if they are already computed.

    `beside` are the files in its folder, to which the page links and whose lines it quotes.
    """
    summary = markdown_summary(document)
    document, series, hidden_names = bounded(document, series or run_series(document))
    resources = drawable(resource_lines(document), series.grids[0])
    data = embedded_data(document, series, resources) | {"summary": summary, "logs": beside.logs}
    css, script = style(*STYLES), _script()
    html = (
        _environment()
        .get_template("report.html.j2")
        .render(
            **_template_values(document, series, data["started_s"]),
            **_baseline_values(document),
            **_resource_values(document, series, resources),
            hidden_names=hidden_names,
            beside=beside,
            style=css,
            script=script,
            data=packed(data),
            policy=policy([css], [script]),
        )
    )
    return encodable(html)


def linked_from(page: str, folder: str) -> str:
    """Return a page for another folder. `folder` is the path from there to the folder of the linked files."""
    # Only links to files start with a dot, and quotes in other texts are escaped.
    return page.replace('href="./', f'href="./{quote(Path(folder).as_posix())}/')


def _template_values(document: RunDocument, series: ChartSeries, started_s: float) -> dict[str, Any]:
    """Return the variables of the templates by name."""
    run, verdict, totals = document.run, document.verdict, document.totals
    guilty = {name for breach in document.conclusions.breaches for name in breach.requests}
    rules = RowRules(verdict.rules, totals)
    rows = request_rows(totals, series, rules, document.since_baseline)
    columns = partial(
        request_columns,
        rules,
        document.baseline.noun if document.baseline else "baseline",
        is_open=totals.overall.service_ms is not None,
        has_changes=document.since_baseline is not None,
    )
    return {
        "run": run,
        "verdict": verdict,
        "overall": totals.overall,
        "tiles": tiles(document, series),
        "stage_rows": stage_rows(document, series),
        "breaches": {breach.rule: breach.sentence for breach in document.conclusions.breaches},
        "title": facts.title(run),
        "ending": facts.ending(document),
        "rules": sorted(verdict.rules, key=lambda rule: OUTCOME_ORDER.index(rule.outcome)),
        "sections": FAILURES_FIRST if totals.overall.failures else FAILURES_LAST,
        "causes": _causes(document),
        "conclusions": conclusions(document),
        "gauge_width": GAUGE_WIDTH,
        "gauge_limit": GAUGE_LIMIT,
        "totals": [row for row in rows if row.kind in {"overall", "group"} and not row.is_measure],
        "requests": sorted(
            (row for row in rows if row.kind == "request"), key=lambda row: (row.name not in guilty, -row.breach_share)
        ),
        "measures": [row for row in rows if row.kind == "measure"],
        "request_columns": columns(),
        "measure_columns": columns(of_measures=True),
        "guilty": guilty,
        "times": TIMES,
        "spark": (SPARK_WIDTH, SPARK_HEIGHT),
        "has_estimates": any(group.estimate_ms for group in (totals.overall, *totals.groups.values())),
        "is_open": totals.overall.service_ms is not None,
        "timeline": timeline(document, series, started_s),
        "widths_s": [grid.width_s for grid in series.grids],
        "names_width_s": series.grids[names_grid(series)].width_s,
        "readable_s": READABLE_SLOTS * series.grids[0].width_s,
        "recorded_width_s": series.recorded_width_s,
        "failures": document.errors,
        "exceptions": document.exceptions,
        "slowest": _two_of_each_name(document.slowest),
        "started_s": started_s,
        "generators": document.generator,
        "counters": facts.counters(document),
        "target": document.target,
        "facts": facts.facts(document),
    }


def _causes(document: RunDocument) -> list[str]:
    """Return the causes of the failed rules, without the rule and its value if the verdict is about no other rule."""
    lines, breaches = breach_lines(document), document.conclusions.breaches
    failed = [rule for rule in document.verdict.rules if rule.outcome is RuleOutcome.FAIL]
    is_named = len(failed) == 1 and rule_quantity(failed[0], failed[0].value) in document.verdict.reason
    return [breach.sentence for breach in breaches] if is_named and len(breaches) == 1 else lines


def _two_of_each_name(slowest: Sequence[ExemplarRecord]) -> list[ExemplarRecord]:
    """Return the slowest requests without the third and further ones of a name, which usually have the same cause."""
    shown: Counter[str] = Counter()
    kept = []
    for request in slowest:
        shown[request.name] += 1
        if shown[request.name] <= 2:
            kept.append(request)
    return kept


def _baseline_values(document: RunDocument) -> dict[str, Any]:
    baseline = document.baseline
    return {
        "changes": document.since_baseline,
        "baseline": baseline_line(baseline) if baseline else "",
        "reference": baseline.noun if baseline else "baseline",
        "first_of_its_kind": FIRST_OF_ITS_KIND if document.is_first_of_its_kind else "",
        "baseline_meaning": baseline_meaning(baseline, document.made_on) if baseline else "",
        "baseline_problem": baseline_problem(document),
        "baseline_warnings": baseline_warnings(document),
    }


def _resource_values(document: RunDocument, series: ChartSeries, lines: Sequence[ResourceLine]) -> dict[str, Any]:
    return {
        "resources": resource_figures(document, lines),
        "resource_tables": resource_tables(lines, series.grids[0], document.run.started_s),
        "sampling_notes": document.resources.notes,
        "sampler_cpu_share": document.resources.sampler_cpu_share,
    }


@cache
def _environment() -> Environment:
    return environment(
        rule_condition, rule_gauge, rule_interval, rule_margin, rule_quantity, rule_subject, rule_why, breakable,
        change_interval, change_text, further_notes, shortened, verdict_sentence,
    )  # fmt: skip


@cache
def _script() -> str:
    vendor = (PAGE / "vendor" / "uPlot.iife.min.js").read_text(encoding="utf-8")
    own = _LAYOUT.sub("", "\n".join((PAGE / "js" / name).read_text(encoding="utf-8") for name in SCRIPTS))
    fallback = (PAGE / "js" / "fallback.js").read_text(encoding="utf-8")
    licence = (PAGE / "vendor" / "uPlot.LICENSE").read_text(encoding="utf-8")
    wrapped = f'(async () => {{\n"use strict";\n{own}\n}})().catch(showWithoutCharts);'
    return f"/*! uPlot\n{licence}*/\n{vendor}\n{fallback}\n{wrapped}"
