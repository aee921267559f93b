"""The load of a run on its page: the tiles, the planned arrivals, and the stages of its profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

from loadgate.recorder import LatencySketch
from loadgate.report.html.grid import Grid
from loadgate.report.html.percentiles import percentile_text, samples_note
from loadgate.report.html.series import ChartSeries
from loadgate.report.html.timeline import percentiles_ms
from loadgate.run.document import RunDocument
from loadgate.run.document.figures import GroupFigures
from loadgate.run.document.plan import ProfileRecord
from loadgate.shape.arrivals import ArrivalEvent, ArrivalSchedule
from loadgate.shape.profile import LoadProfile, Stage
from loadgate.units import clock, count, duration, figure, given, mean_count, per_second, percentage

TTFT, ITL, GOODPUT = "llm_ttft", "llm_itl", "llm_goodput"
"""The groups of the measures of streams of tokens, as docs/llm.md defines them. They have tiles of their own."""

PERCENTILE = "{} % of the successful requests took at most this long"


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure of the first screen. `note` stands beside it, and `title` explains it."""

    label: str
    text: str
    title: str
    note: str = ""
    is_bad: bool = False


def planned_arrivals(document: RunDocument) -> ArrivalSchedule | None:
    """Return the planned arrivals of an open model, None for a closed model."""
    return _profile(document.run.profile).arrivals()


def arrivals_per_s(document: RunDocument, grid: Grid) -> list[float | None] | None:
    """Return the planned arrivals per second in each slot of a grid. None in a slot without load, or without a plan."""
    schedule = planned_arrivals(document)
    if schedule is None:
        return None
    return [
        None if span_s is None else _rate(schedule.count_before(span_s[1]) - schedule.count_before(span_s[0]), span_s)
        for span_s in _load_spans(document, grid)
    ]


def late_per_s(document: RunDocument, grid: Grid) -> list[float | None] | None:
    """Return the late arrivals per second in each slot of a grid, by their intended starts.

    None in a slot without load, for a closed model, or if only the sum over the run is known.
    """
    counted = [row for row in document.recording.counted if row.counter == ArrivalEvent.LATE]
    if planned_arrivals(document) is None or (document.counters.get(ArrivalEvent.LATE) and not counted):
        return None
    numbers: Counter[int] = Counter()
    for start_s, _, number in (slot for row in counted for slot in row.slots()):
        numbers[grid.slot(start_s)] += number
    spans = enumerate(_load_spans(document, grid))
    return [None if span_s is None else _rate(numbers[slot], span_s) for slot, span_s in spans]


def _load_spans(document: RunDocument, grid: Grid) -> Iterator[tuple[float, float] | None]:
    """Yield the part of each slot within the load, in seconds since its start. None if it is less than half a slot.

    Such a part, at either end of the run, would give no reliable rate.
    """
    offset_s, end_s = grid.start_s - document.run.started_s, document.run.duration_s
    for slot in range(grid.count):
        since_s = max(0.0, offset_s + slot * grid.width_s)
        until_s = min(end_s, offset_s + (slot + 1) * grid.width_s)
        yield (since_s, until_s) if until_s - since_s >= grid.width_s / 2 else None


def _rate(number: int, span_s: tuple[float, float]) -> float:
    return round(number / (span_s[1] - span_s[0]), 2)


def tiles(document: RunDocument, series: ChartSeries) -> list[Tile]:
    """Return the figures of the first screen, which depend on the load: an open model, streams of tokens, or users."""
    overall, groups = document.totals.overall, document.totals.groups
    failed = Tile(
        "Failed",
        percentage(overall.failure_rate),
        "Share of failed requests",
        note=count(overall.failures) if overall.failures else "",
        is_bad=bool(overall.failures),
    )
    requests = Tile("Requests", count(overall.requests), "All finished requests, including failed ones")
    if (schedule := planned_arrivals(document)) is not None:
        return [
            requests,
            failed,
            *_arrivals(document, schedule),
            _in_flight(series),
            *_percentiles(overall, "p95", "p99"),
        ]
    if TTFT in groups and ITL in groups:
        return [failed, *_streams(document), _users(document)]
    rate = Tile(
        "Requests/s",
        figure(overall.requests_per_s),
        "Requests divided by the time from the start of the load to its end",
    )
    return [requests, rate, failed, *_percentiles(overall, "p50", "p95", "p99"), _users(document)]


def _percentiles(figures: GroupFigures, *keys: str) -> list[Tile]:
    values, samples = figures.success_ms.model_dump(), sum(figures.distribution.success.samples)
    return [
        Tile(
            key,
            percentile_text(key, values[key], samples),
            PERCENTILE.format(key[1:]),
            note=samples_note(key, samples) if values[key] is not None else "",
        )
        for key in keys
    ]


def _users(document: RunDocument) -> Tile:
    peak = max((number for _, number in document.user_counts), default=None)
    return Tile("Users", count(peak), "Maximum number of running users")


def _arrivals(document: RunDocument, schedule: ArrivalSchedule) -> list[Tile]:
    planned = schedule.count_before(document.run.duration_s)
    late = document.counters.get(ArrivalEvent.LATE, 0)
    lost = sum(document.counters.get(event, 0) for event in (ArrivalEvent.DROPPED, ArrivalEvent.NEVER_STARTED))
    share = [f"{percentage(part / planned)}" if part and planned else "" for part in (late, lost)]
    return [
        Tile("Arrivals", count(planned - lost), "Started arrivals, and how many were planned", f"of {count(planned)}"),
        Tile("Late", count(late), "Arrivals that started late", share[0], is_bad=bool(late)),
        Tile("Not started", count(lost), "Arrivals that were dropped or never started", share[1], is_bad=bool(lost)),
    ]


def _in_flight(series: ChartSeries) -> Tile:
    peak = max(series.scopes[0].in_flight, default=None)
    return Tile(
        "In flight", mean_count(peak), "Highest mean number of requests in flight in a slot of the chart", "peak"
    )


def _streams(document: RunDocument) -> list[Tile]:
    groups, seconds = document.totals.groups, document.run.duration_s
    ttft, itl, good = groups[TTFT], groups[ITL], groups.get(GOODPUT)
    # Each stream has a first token, and a gap before each further one.
    tokens = ttft.requests + itl.requests
    found = [
        Tile("Streams", count(ttft.requests), "Complete streams"),
        Tile("TTFT p95", _p95(ttft), "Time to the first token"),
        Tile("ITL p95", _p95(itl), "Time between two tokens"),
        Tile("Tokens/s", figure(tokens / seconds if seconds else None), "Tokens of complete streams per second"),
    ]
    if good is not None:
        share = percentage(good.requests / ttft.requests) if ttft.requests else ""
        title = "Streams per second that keep the limits of the suite, and their share of all complete streams"
        found.append(Tile("Goodput", per_second(good.requests_per_s), title, share))
    return found


def _p95(figures: GroupFigures) -> str:
    return percentile_text("p95", figures.success_ms.p95, sum(figures.distribution.success.samples))


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage of the profile: all requests that ended between its start and its end, with its ramp."""

    name: str
    load: str
    time: str
    cells: tuple[str, ...]
    """Requests, share of failures, p50, p95 and p99."""
    recovery: str
    has_failures: bool


def stage_rows(document: RunDocument, series: ChartSeries) -> list[StageRow]:
    """Return the stages of a profile with several, as far as the run came. Empty if the run did not follow them."""
    profile = _profile(document.run.profile)
    followed = {name for _, name in document.stages} & set(profile.stage_names)
    if len(followed) < 2:
        return []
    rows, since_s = [], 0.0
    for name, stage in zip(profile.stage_names, profile.stages, strict=True):
        until_s = min(since_s + stage.duration_s, document.run.duration_s)
        if until_s > since_s:
            rows.append(_stage_row(document, series, name, stage, (since_s, until_s)))
        since_s += stage.duration_s
    return rows


def _stage_row(
    document: RunDocument, series: ChartSeries, name: str, stage: Stage, span_s: tuple[float, float]
) -> StageRow:
    grid, overall = series.grids[0], series.scopes[0]
    since_s, until_s = (document.run.started_s + at_s for at_s in span_s)
    slots = [slot for slot in range(grid.count) if since_s <= grid.start_s + (slot + 0.5) * grid.width_s < until_s]
    parts = [sketch for slot in slots if (sketch := (overall.slots or {}).get(slot))]
    successful = LatencySketch.sum_of(parts)
    successes, failures = (sum(lines[0].counts[slot] for slot in slots) for lines in (overall.success, overall.failure))
    requests = successes + failures
    recoveries = [
        f"{item.scope}: {item.state.value if item.time_s is None else duration(item.time_s)}"
        for item in document.conclusions.recoveries
        if item.stage == name
    ]
    return StageRow(
        name,
        f"{count(stage.users)} users" if stage.rate is None else given(stage.rate, "/s"),
        f"{clock(span_s[0])} to {clock(span_s[1])}",
        (
            count(requests),
            percentage(failures / requests if requests else None),
            *map(percentile_text, ("p50", "p95", "p99"), percentiles_ms(successful), repeat(successful.count)),
        ),
        "; ".join(recoveries) or "-",
        bool(failures),
    )


def _profile(record: ProfileRecord) -> LoadProfile:
    """Return the profile of a run as far as it describes the load."""
    stages: Sequence[Stage] = [Stage(**dict(stage)) for stage in record.stages]
    return LoadProfile(name=record.name, users=record.users, rate=record.rate, stages=stages)
