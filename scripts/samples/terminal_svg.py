"""Draw a recording of a terminal as an animated SVG, which needs neither scripts nor fonts of its own."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from itertools import accumulate

from terminal_recording import COLUMNS, LINES, Recording, Row, Span

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE = 9, 19, 15
MARGIN, BAR = 16, 34
WIDTH, HEIGHT = COLUMNS * CELL_WIDTH, LINES * CELL_HEIGHT
SPEED = 6
SHORTEST_S, LONGEST_S = 0.12, 1.5
VERDICT_S, REPORT_S = 6.0, 6.0
OPEN = "$ .venv/bin/loadgate open"
COLOURS = {
    "default": "#d6deeb",
    "red": "#ff6b6b",
    "green": "#5fd38d",
    "brown": "#f2c55c",
    "cyan": "#58c7e0",
    "brightblack": "#7d8799",
}
BACKGROUND, FRAME = "#10151f", "#1c2433"


def drawn(recording: Recording, report: bytes) -> str:
    """Return the recording, faster than it was, and then `report`, a picture of the report as a PNG."""
    *running, last = recording.frames()
    scenes = [(frame.rows, min(max(frame.seconds / SPEED, SHORTEST_S), LONGEST_S)) for frame in running]
    scenes.append((last.rows, VERDICT_S))
    lines: dict[Row, str] = {}
    bodies = [_screen(rows, lines) for rows, _ in scenes]
    bodies.append(_report(report))
    seconds = [*(seconds for _, seconds in scenes), REPORT_S]
    return _document(bodies, seconds, lines)


def _screen(rows: tuple[Row, ...], lines: dict[Row, str]) -> str:
    """Return the rows, each as a reference to a line that is drawn once."""
    uses = []
    for number, row in enumerate(rows):
        if row:
            name = lines.setdefault(row, f"l{len(lines)}")
            uses.append(f'<use href="#{name}" y="{number * CELL_HEIGHT}"/>')
    return "".join(uses)


def _span(span: Span) -> str:
    x, width = span.column * CELL_WIDTH, len(span.text) * CELL_WIDTH
    # Other colours than the usual ones are hexadecimal numbers.
    colour = "" if span.colour == "default" else f' fill="{COLOURS.get(span.colour, f"#{span.colour}")}"'
    bold = ' font-weight="bold"' if span.bold else ""
    # The width is given, so that columns stay aligned in every font.
    return f'<text x="{x}" y="{FONT_SIZE}" textLength="{width}"{colour}{bold}>{escape(span.text)}</text>'


def _report(png: bytes) -> str:
    prompt = _span(Span(0, OPEN, "default", bold=False))
    data = b64encode(png).decode()
    place = f'y="{2 * CELL_HEIGHT}" width="{WIDTH}" height="{HEIGHT - 2 * CELL_HEIGHT}"'
    return f'{prompt}<image {place} preserveAspectRatio="xMidYMin slice" href="data:image/png;base64,{data}"/>'


def _document(bodies: list[str], seconds: list[float], lines: dict[Row, str]) -> str:
    total = sum(seconds)
    starts = [0.0, *accumulate(seconds)][:-1]
    steps = "".join(
        f"{at / total:.3%}{{transform:translateY({-number * HEIGHT}px)}}" for number, at in enumerate(starts)
    )
    # The scenes stand below each other, and the film moves by one scene at a time.
    film = "".join(f'<g transform="translate(0 {number * HEIGHT})">{body}</g>' for number, body in enumerate(bodies))
    verdict = (len(bodies) - 2) * HEIGHT
    definitions = "".join(f'<g id="{name}">{"".join(map(_span, row))}</g>' for row, name in lines.items())
    width, height = WIDTH + 2 * MARGIN, HEIGHT + BAR + MARGIN
    dots = "".join(
        f'<circle cx="{20 + 20 * number}" cy="17" r="6" fill="{colour}"/>'
        for number, colour in enumerate(("#ff6b6b", "#f2c55c", "#5fd38d"))
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">
<title>A terminal: make perf runs the light profile, prints the verdict, and loadgate open shows the report</title>
<style>
text{{font:{FONT_SIZE}px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}}
.film{{animation:film {total:.2f}s steps(1,end) infinite}}
@keyframes film{{{steps}}}
@media(prefers-reduced-motion:reduce){{.film{{animation:none;transform:translateY({-verdict}px)}}}}
</style>
<defs>{definitions}</defs>
<rect width="{width}" height="{height}" rx="10" fill="{BACKGROUND}"/>
<path d="M0 {BAR}V10a10 10 0 0 1 10-10H{width - 10}a10 10 0 0 1 10 10V{BAR}z" fill="{FRAME}"/>
{dots}
<svg x="{MARGIN}" y="{BAR + 6}" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">
<g class="film" fill="{COLOURS["default"]}">
{film}
</g>
</svg>
</svg>
"""
