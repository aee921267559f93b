"""Test the report in a browser without a network: mouse, keyboard, narrow screens, and both themes."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, Locator, Page

from loadgate import units
from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceRecord
from loadgate.recorder.sketch import bucket_ms
from loadgate.run.document.resources import ResourcesRecord
from tests.loadgate.report.runs import KINDS, Synthetic, stored
from tests.support.browser import OfflinePage, violations, width_beyond
from tests.support.run_documents import as_json, document_of
from tests.support.synthetic_run import STARTED_S, synthetic_document

pytestmark = pytest.mark.timeout(300)

OpenReport = Callable[..., OfflinePage]
PHONE = {"width": 360, "height": 740}
NO_JS = {"java_script_enabled": False, "ready": False}


def shown(page: Page) -> list[str]:
    """Return the time range of each chart over time, or one entry if all are the same."""
    found: list[str] = page.eval_on_selector_all(".plot[data-shown]", "all => all.map(one => one.dataset.shown)")
    assert len(found) >= 4
    return sorted(set(found))


def test_charts_format_numbers_like_the_tables(browser: Browser) -> None:
    script = (files("loadgate.report") / "page" / "js" / "format.js").read_text(encoding="utf-8")
    latencies = [bucket_ms(bucket) for bucket in range(0, 4000, 7)] + [9.995, 99.97, 999.6, 2.675, 12_345_678.9, None]
    sizes = [0, 999, 1500, 999_400, 999_500, 123_456_789, 4_090_000_000, None]
    means = [0, 12, 12.44, 0.25, 12_345.6, None]
    counts, seconds = [0, 7, 12_345, None], [0, 7, 7.9, 750, 3723]
    opened = OfflinePage(browser)
    write = f"([ms, sizes, counts, seconds, means]) => {{ {script}; return [ms.map(formatMs), ms.map(formatRate), "
    write += "ms.map(formatCores), sizes.map(formatBytes), counts.map(formatCount), seconds.map(formatOffset), "
    write += "means.map(formatMeanCount)]; }"
    written = opened.page.evaluate(write, [latencies, sizes, counts, seconds, means])
    opened.close()

    assert written == [
        [units.milliseconds(value) for value in latencies],
        [units.per_second(value) for value in latencies],
        [units.cores(value) for value in latencies],
        [units.size(value) for value in sizes],
        [units.count(value) for value in counts],
        [units.clock(value) for value in seconds],
        [units.mean_count(value) for value in means],
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_run_opens_offline_without_an_error(open_report: OpenReport, kind: str) -> None:
    document = KINDS[kind]()
    opened = open_report(document)

    assert opened.errors == []
    assert opened.requested == []
    assert opened.page.inner_text("h1").startswith(document.verdict.outcome.upper())
    assert (opened.page.locator("#charts canvas").count() >= 4) == bool(document.totals.overall.requests)
    opened.page.set_viewport_size(PHONE)
    assert width_beyond(opened.page) == 0


@pytest.mark.parametrize("kind", ["full", "failed", "empty", "measured", "aborted"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(open_report: OpenReport, kind: str, scheme: str) -> None:
    page = open_report(KINDS[kind](), color_scheme=scheme).page
    for opener in page.locator("button.expand").all()[:2]:
        opener.click()
    for details in page.locator("details").all():
        details.evaluate("one => one.open = true")

    assert violations(page) == []
    page.set_viewport_size(PHONE)
    assert violations(page) == []


def test_one_drag_zooms_every_chart_and_a_double_click_shows_all_again(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"]()).page
    page.locator("button.expand").first.click()
    whole = shown(page)
    over = page.locator("#charts .u-over").nth(1)
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    across = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, across)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, across, steps=5)
    page.mouse.up()

    (zoomed,) = shown(page)
    begin, end = map(float, zoomed.split())
    length = float(whole[0].split()[1])
    assert begin == pytest.approx(length * 0.25, abs=1)
    assert end == pytest.approx(length * 0.5, abs=1)
    assert page.inner_text(".shown").startswith("0:15 ")

    over.dblclick()
    assert shown(page) == whole


def response_chart(page: Page) -> Locator:
    return page.locator("#charts .chart", has=page.locator("strong", has_text="Response time")).first


def test_the_keyboard_zooms_pans_and_reads_values(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"]()).page
    whole = shown(page)
    plot = response_chart(page).locator(".plot")
    plot.focus()
    page.keyboard.press("+")
    (half,) = shown(page)
    page.keyboard.press("Shift+ArrowRight")
    (moved,) = shown(page)
    assert float(moved.split()[0]) > float(half.split()[0])
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert shown(page) == whole
    page.keyboard.press("+")
    page.keyboard.press("Escape")
    assert shown(page) == whole

    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    said = response_chart(page).locator(".announced")
    assert said.inner_text().startswith("0:01, p50 ")
    assert "p95 " in said.inner_text()
    page.keyboard.press("End")
    assert said.inner_text().startswith(("0:59", "1:00"))


def test_the_buttons_zoom_too(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"](), viewport=PHONE).page
    whole = shown(page)
    page.get_by_role("button", name="Zoom in").click()
    assert shown(page) != whole
    page.get_by_role("button", name="Earlier").click()
    assert shown(page)[0].startswith("0 ")
    page.get_by_role("button", name="Show the whole run").click()
    assert shown(page) == whole


def test_the_cursor_reads_the_same_moment_in_all_charts(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"]()).page
    over = page.locator("#charts .u-over").nth(1)
    over.scroll_into_view_if_needed()
    over.hover()
    page.wait_for_function("document.querySelector('.where').textContent.includes('UTC')")
    values = page.locator("#charts .key .value").all_inner_texts()
    assert len([value for value in values if value]) >= 6


def test_resources_have_a_chart_for_each_quantity_below_the_latencies(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"]()).page
    titles = page.locator("#charts figcaption strong").all_inner_texts()
    resources = ["CPU", "Memory", "Connections", "Waits", "Queue depth", "Open files", "Threads", "PSS"]
    assert titles[-len(resources) :] == resources
    assert titles.index("Response time") < titles.index("Requests in flight") < titles.index("CPU")
    lines = {
        title: page.locator("#charts .chart", has=page.locator("strong", has_text=title)).last.locator(".key")
        for title in resources
    }
    assert [key.strip() for key in lines["CPU"].all_inner_texts()] == [
        *("api", "machine", "worker", "redis", "api limit 2.00 cores")
    ]
    assert [key.strip() for key in lines["Waits"].all_inner_texts()] == ["api event-loop lag", "database wait"]

    page.locator("#charts .u-over").nth(1).hover()
    page.wait_for_function("document.querySelector('.where').textContent.includes('UTC')")
    ends = {"CPU": " cores", "Memory": " MB", "Waits": " ms"}
    for title, end in ends.items():
        values = lines[title].locator(".value").all_inner_texts()
        assert values
        assert all(value.endswith(end) for value in values), (title, values)
    assert all(value.isdigit() for value in lines["Connections"].locator(".value").all_inner_texts())


def test_the_lines_of_a_chart_have_distinct_colours_in_both_themes(open_report: OpenReport) -> None:
    for scheme in ("light", "dark"):
        page = open_report(KINDS["full"](), color_scheme=scheme).page
        cpu = page.locator("#charts .chart", has=page.locator("strong", has_text="CPU")).locator("button.key .swatch")
        colours = cpu.evaluate_all("all => all.map(one => getComputedStyle(one).borderTopColor)")
        assert len(set(colours)) == len(colours) == 4


def test_a_value_between_two_gaps_is_a_dot(open_report: OpenReport) -> None:
    waited, waits = (ResourceColumn("api", f"wait.{part}", ColumnKind.FLOW) for part in ("sum", "count"))
    record = ResourceRecord()
    for second in range(60):
        record.put(STARTED_S + second, {waited: 0.5, waits: 0.0 if second in {29, 31} else 50.0})
    document = KINDS["full"]().model_copy(update={"resources": ResourcesRecord.of(record)})
    page = open_report(document, color_scheme="light").page
    blue_at = """(chart, second) => {
        const canvas = chart.querySelector('canvas'), over = chart.querySelector('.u-over').getBoundingClientRect();
        const box = canvas.getBoundingClientRect(), [from, to] = chart.querySelector('.plot').dataset.shown.split(' ');
        const x = (over.left - box.left + (second - from) / (to - from) * over.width) * canvas.width / box.width;
        const {data} = canvas.getContext('2d').getImageData(Math.round(x), 0, 1, canvas.height);
        for (let at = 0; at < data.length; at += 4) if (data.slice(at, at + 3).join() === '31,111,235') return true;
        return false;
    }"""
    chart = page.locator("#charts .chart", has=page.locator("strong", has_text="Waits"))
    seen = {second: chart.evaluate(f"chart => ({blue_at})(chart, {second})") for second in (20, 29, 30, 31, 40)}
    assert seen == {20: True, 29: False, 30: True, 31: False, 40: True}


def test_another_scope_does_not_change_the_resources(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"]()).page
    before = page.locator("#charts figcaption strong").all_inner_texts()
    page.locator("#charts select").select_option(label="group 3")
    assert page.locator("#charts figcaption strong").all_inner_texts() == before


def test_a_run_without_resources_has_no_charts_of_them(open_report: OpenReport) -> None:
    page = open_report(KINDS["measured"]()).page
    assert page.locator("#charts figcaption strong").all_inner_texts()[-1] == "Percentile spectrum"


def test_rows_sort_and_open_their_own_charts(open_report: OpenReport) -> None:
    document = KINDS["full"]()
    page = open_report(document).page
    heading = page.locator("table.requests th", has_text="p95").first
    heading.locator("button").click()
    names = page.locator("tbody.sorted tr.row > th").all_inner_texts()
    rows = document.totals.requests
    slowest_first = sorted(rows, key=lambda row: -row.success_ms.p95)
    assert [name.strip() for name in names] == [row.name for row in slowest_first]
    assert heading.get_attribute("aria-sort") == "descending"
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"

    first = page.locator("tbody.sorted tr.row").first
    assert first.inner_text().startswith(slowest_first[-1].name)
    opener = first.locator("button.expand")
    opener.focus()
    page.keyboard.press("Enter")
    detail = page.locator(f"#{opener.get_attribute('aria-controls')}")
    assert opener.get_attribute("aria-expanded") == "true"
    assert detail.locator("figcaption strong").all_inner_texts() == [
        "Response time",
        "Requests and failures",
        "Percentile spectrum",
        "Time until failure",
    ]
    assert "Failures" in detail.locator("table.times").inner_text()
    page.keyboard.press("Enter")
    assert not detail.is_visible()
    assert detail.locator("canvas").count() == 0


def test_many_names_are_drawn_in_wider_slots_at_any_zoom(open_report: OpenReport) -> None:
    document = stored(synthetic_document(Synthetic(duration_s=300, names=21, requests_per_s=60)))
    opened = open_report(document)
    page = opened.page
    assert "5 s per column" in page.locator(".chart.heat").inner_text()
    page.locator("tbody.sorted button.expand").first.click()
    page.locator("tbody.sums button.expand").first.click()
    charts = page.locator("tr.detail.open .chart", has_text="Response time")
    before = [chart.locator("canvas").evaluate("one => one.toDataURL()") for chart in charts.all()]
    page.get_by_role("button", name="Zoom in").click()
    assert "1 s per point" in page.locator("output.shown").inner_text()
    after = [chart.locator("canvas").evaluate("one => one.toDataURL()") for chart in charts.all()]
    assert len({*before, *after}) == 4
    assert opened.errors == []


def test_another_group_and_axis_can_be_chosen(open_report: OpenReport) -> None:
    opened = open_report(KINDS["full"]())
    page = opened.page

    def drawn() -> str:
        return str(response_chart(page).locator("canvas").evaluate("one => one.toDataURL()"))

    before = drawn()
    page.locator("#charts select").select_option(label="group 3")
    grouped = drawn()
    page.get_by_role("button", name="Logarithmic").click()
    assert len({before, grouped, drawn()}) == 3
    page.get_by_role("button", name="max").first.click()
    assert opened.errors == []


def test_each_group_has_a_chart_of_its_own_with_its_limit(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"]()).page
    charts = page.locator("#charts .multiples .chart")
    groups = KINDS["full"]().totals.groups
    assert charts.locator("figcaption strong").all_inner_texts() == list(groups)
    assert all("limit 500 ms" in chart.locator(".key.limit").first.inner_text() for chart in charts.all())
    page.locator("#charts select").select_option(label="group 3")
    assert charts.count() == len(groups)


def test_a_point_of_a_percentile_covers_enough_requests(open_report: OpenReport) -> None:
    document = stored(synthetic_document(Synthetic(duration_s=60, names=6, requests_per_s=8)))
    page = open_report(document).page
    chart = response_chart(page)
    assert "a step of p95 covers 10 s" in chart.locator("figcaption small").inner_text()
    keys = [key.strip() for key in chart.locator("button.key").all_inner_texts()]
    assert keys == ["p50", "p95", "p99", "max", "p95 of 1 s"]
    # 535 requests are too few for a line of p99, and some groups have too few for a line of p95.
    dots = chart.locator("button.key", has=page.locator(".swatch.dots")).all_inner_texts()
    assert [key.strip() for key in dots] == ["p99", "p95 of 1 s"]
    assert chart.locator("button.key[aria-pressed=false]").all_inner_texts()[0].strip() == "p99"
    assert page.locator("#charts .multiples .swatch.dots.p95").count() >= 4


def test_the_heat_map_is_drawn_in_the_colours_of_the_theme(open_report: OpenReport) -> None:
    colours = """one => {
        const {width, height} = one;
        const {data} = one.getContext('2d').getImageData(0, 0, width, height);
        const seen = new Set();
        for (let at = 0; at < data.length; at += 4) seen.add(data.slice(at, at + 4).join());
        return [...seen];
    }"""
    page = open_report(KINDS["full"](), color_scheme="light").page
    heat = page.locator(".chart.heat .uplot canvas")
    light = set(heat.evaluate(colours))
    assert "219,234,254,255" in light
    page.get_by_role("button", name="Theme: auto").click()
    page.get_by_role("button", name="Theme: light").click()
    page.wait_for_function("getComputedStyle(document.body).backgroundColor === 'rgb(15, 19, 23)'")
    dark = set(heat.evaluate(colours))
    assert "30,45,74,255" in dark
    assert "219,234,254,255" not in dark


def test_without_a_script_the_verdict_and_every_table_are_shown(open_report: OpenReport) -> None:
    document = KINDS["full"]()
    page = open_report(document, **NO_JS).page
    text = page.inner_text("body")

    assert "PASS synthetic · 1 min · 50 users · 127.0.0.1:8000" in " ".join(text.split())
    assert "The charts need JavaScript. It is disabled in this browser" in text
    assert page.locator("table.rules tbody tr").count() == len(document.verdict.rules)
    assert page.locator("table.times").first.is_visible()
    assert page.locator("button").count() == 0
    page.set_viewport_size(PHONE)
    assert width_beyond(page) == 0


def test_an_old_browser_shows_a_note_instead_of_charts(open_report: OpenReport) -> None:
    opened = open_report(KINDS["full"](), ready=False, init="delete globalThis.DecompressionStream")
    opened.page.locator("#no-charts").wait_for(state="visible")

    assert opened.page.locator("table.times").first.is_visible()
    assert "DecompressionStream" in opened.errors[0]


def test_hostile_text_is_not_executed(open_report: OpenReport) -> None:
    opened = open_report(KINDS["hostile"]())
    opened.page.locator("button.expand").last.click()

    assert opened.page.title().startswith("FAIL small · 1\N{NO-BREAK SPACE}min · 5 users · ")
    assert opened.errors == []
    assert opened.page.locator("main b").count() == 0


def test_on_a_phone_rows_open_within_the_window(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"](), viewport=PHONE).page
    page.locator("button.expand").nth(2).click()

    assert width_beyond(page) == 0
    box = page.locator("tr.detail.open .chart").first.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]


def test_printed_pages_have_no_tools_and_use_the_light_theme(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"](), color_scheme="dark").page
    paper = page.pdf()
    assert paper.startswith(b"%PDF")
    assert len(paper) > 20_000
    page.emulate_media(media="print")
    assert not page.locator("header.top").is_visible()
    assert not page.locator(".toolbar").is_visible()
    assert page.locator("table.rules").is_visible()


def test_the_tables_of_resources_fit_on_paper(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"](), viewport={"width": 703, "height": 900}).page
    page.locator("details", has=page.locator("table.over-time")).evaluate("one => one.open = true")
    page.emulate_media(media="print")
    boxes = [table.bounding_box() for table in page.locator("table.over-time").all()]
    assert len(boxes) == 6
    assert all(box is not None and box["x"] + box["width"] <= 703 for box in boxes), boxes


WIDTHS = "[...document.querySelectorAll('#charts .plot canvas')].map(one => one.clientWidth)"


@pytest.mark.parametrize("width", [390, 1024, 1440, 2560])
def test_charts_are_drawn_as_wide_as_the_paper(open_report: OpenReport, width: int) -> None:
    page = open_report(KINDS["full"](), viewport={"width": width, "height": 900}).page
    on_screen = page.evaluate(WIDTHS)
    page.evaluate(f"addEventListener('beforeprint', () => queueMicrotask(() => {{ window.onPaper = {WIDTHS}; }}))")
    page.pdf(format="A4")

    on_paper = page.evaluate("window.onPaper")
    assert len(on_paper) == len(on_screen) >= 4
    # A4 has 186 mm between its margins.
    assert all(600 <= width <= 703 for width in on_paper), on_paper
    assert page.evaluate(WIDTHS) == on_screen


def dashed_strokes(page: Page) -> list[str]:
    """Return the colours of the dashed lines after redrawing all charts."""
    page.evaluate("""() => {
        window.dashed = [];
        const drawing = CanvasRenderingContext2D.prototype;
        const stroke = drawing.stroke;
        drawing.stroke = function (...path) {
            if (this.getLineDash().length) window.dashed.push(this.strokeStyle);
            return stroke.apply(this, path);
        };
    }""")
    page.get_by_role("button", name="Theme").click()
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    colours: list[str] = page.evaluate("window.dashed")
    return colours


def test_names_of_stages_begin_inside_their_stages(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"]()).page
    page.evaluate("""() => {
        window.written = [];
        const drawing = CanvasRenderingContext2D.prototype;
        const write = drawing.fillText;
        drawing.fillText = function (text, ...place) {
            window.written.push([text, this.textAlign]);
            return write.apply(this, [text, ...place]);
        };
    }""")
    page.get_by_role("button", name="Theme").click()
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    alignments = {align for text, align in page.evaluate("window.written") if text in {"ramp", "steady"}}
    assert alignments == {"left"}


def test_corrected_percentiles_are_drawn_as_dots(open_report: OpenReport) -> None:
    data = as_json(KINDS["full"]())
    overall = data["totals"]["overall"]
    overall["corrected_ms"] = None
    without = dashed_strokes(open_report(document_of(data)).page)
    overall["corrected_ms"] = {name: value * 2 for name, value in overall["success_ms"].items()}
    page = open_report(document_of(data)).page
    # A line between five points would cover times without data.
    assert dashed_strokes(page) == without
    assert page.locator("button.key", has_text="corrected").first.locator(".swatch.dots").count() == 1


def test_zooming_in_shows_single_seconds(open_report: OpenReport) -> None:
    document = stored(synthetic_document(Synthetic(duration_s=600, names=3, requests_per_s=20)))
    page = open_report(document).page

    assert page.inner_text(".shown").endswith("5 s per point")
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    assert page.inner_text(".shown").endswith("1 s per point")
