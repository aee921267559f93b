"""report.html: one self-contained file that opens offline, the verdict first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from loadgate.recorder import OVERALL, Recorder
from loadgate.report import text
from loadgate.report.svg import Limit, Line, line_chart

_STYLE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2024;--soft:#5b6570;--line:#dfe3e8;--card:#f6f8fa;
--pass:#18794e;--fail:#c62a2f;--inconclusive:#946800;
--c1:#2563eb;--c2:#d97706;--c3:#059669;--c4:#9333ea;--c5:#db2777;--c6:#64748b}
@media(prefers-color-scheme:dark){:root{--bg:#111417;--fg:#e6e9ec;--soft:#98a2ad;--line:#2c3238;--card:#191d21;
--pass:#4cc38a;--fail:#ff6369;--inconclusive:#f1a10d;
--c1:#6ea8fe;--c2:#fbbf24;--c3:#34d399;--c4:#c084fc;--c5:#f472b6;--c6:#94a3b8}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1.5rem;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.3rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}
small,.soft{color:var(--soft)}
header{border-left:.4rem solid var(--outcome);background:var(--card);padding:1rem 1.25rem;border-radius:.4rem}
.outcome{font-weight:700;color:var(--outcome)}
.pass{--outcome:var(--pass)}.fail{--outcome:var(--fail)}.inconclusive{--outcome:var(--inconclusive)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{color:var(--soft);font-weight:500;white-space:nowrap}
.num{text-align:right;white-space:nowrap}
.group td{font-weight:600;background:var(--card)}
figure{margin:1rem 0}figcaption{font-weight:600;margin-bottom:.3rem}
svg{width:100%;height:auto;max-height:16rem}
svg text{fill:var(--soft);font-size:11px}
.grid{stroke:var(--line)}
polyline,svg line.limit{fill:none;stroke:var(--c);stroke-width:1.6}svg line.limit{stroke-dasharray:5 4}
circle{fill:var(--c)}
.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}.c4{--c:var(--c4)}.c5{--c:var(--c5)}.c6{--c:var(--c6)}
.key{margin-right:1rem;white-space:nowrap}.key::before{content:"";display:inline-block;width:1.2rem;
border-top:3px solid var(--c);margin-right:.4rem;vertical-align:middle}.key.limit::before{border-top-style:dashed}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
"""
_COLOURS = 6
_CLOSED_NOTE = (
    "Times are those of successful requests. Corrected: an estimate of what users would have seen who do not wait for "
    "slow answers before they send the next request; rules do not read it."
)
_OPEN_NOTE = (
    "Times are those of successful requests, counted from the moment in which each was meant to start; service is the "
    "time from its sending."
)


def html_report(document: Mapping[str, Any]) -> str:
    """Return the whole page for one run."""
    run = document["run"]
    title = f"Load test {run['profile']['name']}"
    recorder = Recorder.from_json(document["recording"])
    parts = [
        _header(document, title),
        _section("Rules", _rules_table(document["verdict"]["rules"])),
        _section("Over time", _charts(document, recorder)),
        _section("Requests", _requests_table(document["totals"], document["counters"])),
        _section("Failures", _errors_table(document["errors"], document["exceptions"])),
        _section("Target", _target(document["target"])) if document["target"] else "",
        _section("Load generator", _generator_table(document["generator"])),
        _section("Run", _facts(document)),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _header(document: Mapping[str, Any], title: str) -> str:
    run, verdict, overall = document["run"], document["verdict"], document["totals"]["overall"]
    notes = "".join(f"<p>{escape(note)}</p>" for note in verdict["notes"])
    return (
        f'<header class="{verdict["outcome"]}"><h1>{escape(title)}: '
        f'<span class="outcome">{text.OUTCOME_WORDS[verdict["outcome"]]}</span></h1>'
        f"<p>{escape(verdict['reason'])}</p>{notes}"
        f'<p class="soft">{text.number(overall["requests"])} requests in {text.duration(run["duration_s"])}, '
        f"{text.percent(overall['failure_rate'])} failed · {escape(run['host'])} · {escape(run['started_at'])}</p>"
        "</header>"
    )


def _rules_table(rules: Sequence[Mapping[str, Any]]) -> str:
    if not rules:
        return "<p>There is no rule.</p>"
    rows = [
        (
            escape(f"{rule['scope']}: {rule['metric']}"),
            escape(text.rule_limit(rule)),
            _number(text.rule_quantity(rule, rule["value"])),
            _number(text.number(rule["samples"])),
            f'<span class="outcome {rule["outcome"]}">{text.OUTCOME_WORDS[rule["outcome"]]}</span>',
            escape(rule["reason"]) + (f" <small>({escape(note)})</small>" if (note := text.ramp_note(rule)) else ""),
        )
        for rule in rules
    ]
    return _table(("Rule", "Limit", "#Measured", "#Samples", "Outcome", "Why"), rows)


def _charts(document: Mapping[str, Any], recorder: Recorder) -> str:
    slots = recorder.time_slots()
    zero_s = slots[0].start_s if slots else 0
    rate = [(float(slot.start_s - zero_s), slot.totals.requests / slot.width_s) for slot in slots]
    failed = [(float(slot.start_s - zero_s), slot.totals.failure.count / slot.width_s) for slot in slots]
    users = [(float(second - zero_s), float(count)) for second, count in document["user_counts"] if second >= zero_s]
    lines, limits = [], []
    for index, scope in enumerate(recorder.groups() or [OVERALL]):
        colour = index % _COLOURS + 1
        lines.append(Line(scope, _p95_series(recorder, scope, zero_s), colour))
        limits += [
            Limit(f"{scope} limit", rule["limit"], colour)
            for rule in document["verdict"]["rules"]
            if rule["scope"] == scope and rule["metric"] == "p95" and rule["unit"] == "ms"
        ]
    return (
        line_chart("Requests", "per second", [Line("all", rate, 1), Line("failed", failed, 5)])
        + line_chart("p95 of successful requests", "ms, each second on its own", lines, limits)
        + line_chart("Users", "running", [Line("users", users, 6)])
    )


def _p95_series(recorder: Recorder, scope: str, zero_s: int) -> list[tuple[float, float]]:
    series = []
    for slot in recorder.time_slots(scope):
        value = slot.totals.success.quantile(0.95)
        if value is not None:
            series.append((float(slot.start_s - zero_s), value))
    return series


def _requests_table(totals: Mapping[str, Any], counters: Mapping[str, int]) -> str:
    is_open = totals["overall"]["service_ms"] is not None
    beside, note = ("service_ms", _OPEN_NOTE) if is_open else ("corrected_ms", _CLOSED_NOTE)
    title = "#p95 of service" if is_open else "#p95 corrected"
    head = ("Request", "Group", "#Requests", "#Failed", "#Per second", "#Mean", "#p50", "#p95", "#p99", "#Max", title)
    rows = [("overall", "", totals["overall"], "group")]
    rows += [(group, "", figures, "group") for group, figures in totals["groups"].items()]
    rows += [(figures["name"], figures["group"], figures, "") for figures in totals["requests"]]
    cells = [_request_row(name, group, figures, figures.get(beside)) for name, group, figures, _ in rows]
    counts = "".join(f" {escape(name.replace('_', ' '))}: {text.number(count)}." for name, count in counters.items())
    return _table(head, cells, [row[3] for row in rows]) + f"<p><small>{note}{counts}</small></p>"


def _request_row(
    name: str, group: str, figures: Mapping[str, Any], beside: Mapping[str, float | None] | None
) -> tuple[str, ...]:
    times = figures["success_ms"]
    failed = f"{text.number(figures['failures'])} ({text.percent(figures['failure_rate'])})"
    return (
        escape(name) + (" <small>measure</small>" if figures.get("kind") == "measure" else ""),
        escape(group),
        _number(text.number(figures["requests"])),
        _number(failed if figures["failures"] else "0"),
        _number(text.number(figures["requests_per_s"], 2)),
        *(_number(text.milliseconds(times[key])) for key in ("mean", "p50", "p95", "p99", "max")),
        _number(text.milliseconds(beside["p95"] if beside else None)),
    )


def _errors_table(errors: Sequence[Mapping[str, Any]], exceptions: Sequence[Mapping[str, Any]]) -> str:
    if not errors and not exceptions:
        return "<p>No request failed.</p>"
    rows = [(escape(e["name"]), escape(e["text"]), _number(text.number(e["count"]))) for e in errors]
    rows += [
        (
            "user code",
            f"<details><summary>{escape(e['text'])}</summary><pre>{escape(e['traceback'])}</pre></details>",
            _number(text.number(e["count"])),
        )
        for e in exceptions
    ]
    return _table(("Request", "Error", "#Times"), rows)


def _target(target: Mapping[str, Any]) -> str:
    series, trend = target.get("rss_bytes") or {}, target.get("memory_trend")
    ended = f"<p>{escape(target['ended'])}</p>" if target.get("ended") else ""
    if not series.get("times_s"):
        return ended + "<p>Its memory was not sampled.</p>"
    zero_s = series["times_s"][0]
    points = [(t - zero_s, v / 2**20) for t, v in zip(series["times_s"], series["rss_bytes"], strict=True)]
    growth = (
        f"<p>After warm-up its memory changed by {text.mebibytes(trend['bytes_per_minute'])} a minute "
        f"(from {text.mebibytes(trend['start_bytes'])} to {text.mebibytes(trend['end_bytes'])} "
        f"over {text.duration(trend['span_s'])}).</p>"
        if trend
        else "<p>The run was too short to say whether its memory grows.</p>"
    )
    return ended + growth + line_chart("Memory of the target's processes", "MiB", [Line("resident", points, 3)])


def _generator_table(generators: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            escape(item["process"]),
            _number(text.percent(item["cpu_mean_share"])),
            _number(text.percent(item["cpu_peak_share"])),
            _number(text.milliseconds(item["lag_p99_ms"])),
            _number(text.milliseconds(item["lag_max_ms"])),
            escape(item["problem"] or "healthy"),
        )
        for item in generators
    ]
    head = ("Process", "#CPU, of one core", "#CPU, worst 10 s", "#Loop lag p99", "#Loop lag max", "State")
    return _table(head, rows)


def _facts(document: Mapping[str, Any]) -> str:
    run, made_on = document["run"], document["made_on"]
    git, machine = made_on["git"], made_on["machine"]
    changed = " with local changes" if git and git["changed"] else ""
    facts = {
        "Profile": f"{run['profile']['name']}: {run['profile']['description']}",
        "Users": f"{run['users']}, {run['spawn_rate']} per second, for {text.duration(run['planned_s'])}",
        "Classes": ", ".join(f"{name} {weight}" for name, weight in run["user_classes"].items()),
        "Ending": f"{run['ending']} after {text.duration(run['duration_s'])}",
        "Commit": f"{git['commit']} ({git['branch']}){changed}" if git else "not a repository",
        "Machine": f"{machine['system']}, {machine['cores']} cores, {text.mebibytes(machine['memory_bytes'])}",
        "Versions": ", ".join(f"{name} {version}" for name, version in made_on["versions"].items()),
        "Command": " ".join(run["command"]),
    }
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()) + "</dl>"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"


def _number(value: str) -> str:
    """Mark an already safe text as one of a right-aligned column."""
    return f"\0{value}"


def _table(head: Iterable[str], rows: Iterable[Sequence[str]], classes: Sequence[str] = ()) -> str:
    """Return a table; a heading that begins with `#` is right-aligned as its numbers are."""
    titles = "".join(
        f'<th class="num">{title[1:]}</th>' if title.startswith("#") else f"<th>{title}</th>" for title in head
    )
    body = ""
    for index, row in enumerate(rows):
        cells = "".join(
            f'<td class="num">{cell[1:]}</td>' if cell.startswith("\0") else f"<td>{cell}</td>" for cell in row
        )
        body += f'<tr class="{classes[index] if classes else ""}">{cells}</tr>'
    return f'<div class="scroll"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'
