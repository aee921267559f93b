// A chart: a uPlot with axes, a legend of buttons, keyboard control, and the zoom that all charts over time share.

const charts = new Set();
const cursorGroup = "time";
const leftAxisSize = 62;
const compact = () => innerWidth < 560;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Return the axes in the colours of the theme. `spec.xValues` formats the labels of the x axis. */
function axesOf(spec) {
  const style = {
    stroke: () => colour("soft"),
    grid: { stroke: () => colour("line"), width: 1 },
    ticks: { stroke: () => colour("line"), width: 1, size: 4 },
    font: "12px system-ui, sans-serif",
  };
  return [
    { ...style, size: 30, gap: 4, splits: spec.xSplits, values: spec.xValues || timeTicks, incrs: spec.xIncrs || timeSteps },
    {
      ...style,
      size: compact() ? 48 : leftAxisSize,
      gap: 4,
      grid: { ...style.grid, show: spec.yGrid !== false },
      values: spec.log ? logTicks : (_, splits) => splits.map(formatTick),
    },
  ];
}

const timeSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];
const timeTicks = (_, splits) => splits.map(formatOffset);

/** Return the labels of a logarithmic axis: powers of ten and, on a short axis, also their multiples by 2 and 5. */
function logTicks(plot, splits) {
  const { min, max } = plot.scales.y;
  const shown = max / min > 200 ? [1] : [1, 2, 5];
  return splits.map((value) => {
    const mantissa = value / 10 ** Math.floor(Math.log10(value) + 1e-9);
    return shown.some((digit) => Math.abs(mantissa - digit) < 1e-6) ? formatTick(value) : null;
  });
}

function yScale(spec) {
  if (spec.yRange) return { distr: spec.log ? 3 : 1, log: 10, auto: false, range: spec.yRange };
  if (spec.log) return { distr: 3, log: 10, range: (_, low, high) => logRange(spec, low, high) };
  return { range: (_, low, high) => [0, linearTop(spec, high)] };
}

/** Return the limits that the axis includes. A limit that is far away would make the lines flat. */
const nearLimits = (spec, high) => (spec.limits || []).map((limit) => limit.at).filter((value) => value <= high * (spec.reach || 3));

function linearTop(spec, high) {
  return Math.max(high || 0, ...nearLimits(spec, high)) * 1.08 || 1;
}

function logRange(spec, low, high) {
  if (!(low > 0)) return [1, 100];
  return uPlot.rangeLog(low, Math.max(high, ...nearLimits(spec, high)), 10, false);
}

/** Draw a dashed line at the limit of each rule, and a dotted one at the value of a baseline. */
function drawLimits(plot, spec) {
  const { ctx, bbox } = plot;
  for (const limit of spec.limits || []) {
    const y = plot.valToPos(limit.at, "y", true);
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.save();
    ctx.strokeStyle = colour(limit.colour);
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash((limit.dash || [6, 4]).map((length) => length * devicePixelRatio));
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }
}

/** Create the legend. Each line has a button that shows its value at the cursor. A click hides or shows the line. */
function legendOf(spec, toggle) {
  const legend = element("div", "legend");
  const values = spec.series.map((line, index) => {
    const key = element("button", "key");
    key.type = "button";
    key.setAttribute("aria-pressed", String(!line.hidden));
    key.title = `Show or hide ${line.label}`;
    const value = element("span", "value");
    key.append(element("i", `swatch ${line.colour}${line.dots ? " dots" : line.dash ? " dashed" : ""}`), `${line.label} `, value);
    key.addEventListener("click", () => {
      line.hidden = !line.hidden;
      key.setAttribute("aria-pressed", String(!line.hidden));
      toggle(index, !line.hidden);
    });
    legend.append(key);
    return value;
  });
  for (const limit of spec.limits || []) {
    const key = element("span", "key limit");
    key.append(element("i", `swatch ${limit.dash ? "dotted" : "dashed"} ${limit.colour}`), limit.label);
    legend.append(key);
  }
  return { legend, values };
}

/**
 * Draw a chart into `host`.
 *
 * Keys of spec:
 * - title, unit, height
 * - x: an array for each grid, or a single one
 * - series: label, colour, values (as x), format, dash, dots, fill, hidden
 * - limits: at, label, colour, dash
 * - reach: the y axis includes limits up to this multiple of the highest value. The default is 3.
 * - log, yRange: the y axis
 * - time: whether x is the time range that all charts share
 * - xRange, xSplits, xValues: the x axis, if it is not time
 * - marks, draw: functions that draw behind and above the lines
 * - onCursor(x, plot): called with the x of the point at the cursor, undefined without one
 * - describe(index): the announced text of a point
 */
function makeChart(host, spec) {
  const { figure, box, announced, values } = frameOf(spec, (index, show) => plot.setSeries(index + 1, { show }));
  host.append(figure);
  const size = () => ({ width: Math.max(200, box.clientWidth), height: spec.height || 190 });
  let level = spec.time ? zoom.level : 0;
  const readout = (drawn) => {
    const index = drawn.cursor.idx;
    values.forEach((value, number) => {
      const line = spec.series[number];
      value.textContent = index === null || index === undefined ? "" : line.format(at(line.values, level)[index] ?? null);
    });
    if (spec.onCursor) spec.onCursor(drawn.data[0][index], drawn);
  };
  const plot = new uPlot(optionsOf(spec, size(), readout), dataOf(spec, level), box);
  const follow = () => {
    box.dataset.shown = zoom.range.map((seconds) => Math.round(seconds * 10) / 10).join(" ");
    if (zoom.level !== level) {
      level = zoom.level;
      plot.setData(dataOf(spec, level), false);
    }
    plot.setScale("x", { min: zoom.range[0], max: zoom.range[1] });
  };
  if (spec.time) {
    follow();
    zoom.listeners.add(follow);
  }
  const fit = () => {
    if (box.clientWidth && size().width !== plot.width) plot.setSize(size());
  };
  const observer = new ResizeObserver(fit);
  observer.observe(box);
  box.addEventListener("keydown", (event) => chartKey(event, plot, spec, level, announced));
  const chart = {
    plot,
    fit,
    redraw: () => plot.redraw(false, true),
    destroy() {
      observer.disconnect();
      charts.delete(chart);
      zoom.listeners.delete(follow);
      plot.destroy();
      figure.remove();
    },
  };
  charts.add(chart);
  return chart;
}

/** Create the frame of a plot: title, legend, the box with the keyboard focus, and the text for screen readers. */
function frameOf(spec, toggle) {
  const figure = element("figure", `chart ${spec.className || ""}`);
  const caption = element("figcaption");
  caption.append(element("strong", "", spec.title), element("small", "", spec.unit));
  const box = element("div", "plot");
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", `${spec.title}, ${spec.unit}: chart`);
  const announced = element("p", "announced");
  announced.setAttribute("aria-live", "polite");
  const { legend, values } = legendOf(spec, toggle);
  caption.append(legend);
  figure.append(caption, box, announced);
  return { figure, box, announced, values };
}

/** Return the array of a grid, or the only array. */
const at = (arrays, level) => arrays[Math.min(level, arrays.length - 1)];

function dataOf(spec, level) {
  return [at(spec.x, level), ...spec.series.map((line) => at(line.values, level))];
}

function optionsOf(spec, size, readout) {
  return {
    ...size,
    legend: { show: false },
    padding: [10, run.end_s >= 36000 ? 30 : 22, 0, 0],
    scales: {
      x: spec.time
        ? { time: false, auto: false, min: zoom.range[0], max: zoom.range[1] }
        : { time: false, range: spec.xRange },
      y: yScale(spec),
    },
    axes: axesOf(spec),
    series: [{}, ...spec.series.map(seriesOf)],
    cursor: cursorOf(spec),
    hooks: {
      drawClear: [(plot) => spec.marks && spec.marks(plot)],
      draw: [(plot) => (spec.draw && spec.draw(plot), drawLimits(plot, spec))],
      setCursor: [readout],
      setSelect: [zoomToSelection],
    },
  };
}

/** Return whether so few slots have samples that they must be drawn as dots. */
function isSparse(values) {
  const filled = values.filter((value) => value !== null && value !== undefined).length;
  return values.length < 2 || filled < values.length * 0.6;
}

/** Return the indices of the values without a neighbour, which no line shows. */
function isolated(values) {
  const known = (index) => isKnown(values[index]);
  return [...values.keys()].filter((index) => known(index) && !known(index - 1) && !known(index + 1));
}

function pointsOf(line) {
  return {
    show: (plot, index) => line.dots || (!line.span && isSparse(plot.data[index])),
    filter: (plot, index, show) => (show || line.span ? null : isolated(plot.data[index])),
    size: line.faint ? 3 : line.dots ? 7 : 5,
    width: 0,
    fill: () => (line.faint ? faint(colour(line.colour)) : colour(line.colour)),
  };
}

function seriesOf(line) {
  return {
    label: line.label,
    show: !line.hidden,
    stroke: () => colour(line.colour),
    fill: line.fill ? () => colour(`${line.colour}-fill`) : undefined,
    width: line.dots ? 0 : 1.75,
    dash: line.dash ? [6, 4] : undefined,
    spanGaps: line.span === true || line.values.some(isSparse),
    paths: line.dots ? () => null : line.stepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
    points: pointsOf(line),
  };
}

function cursorOf(spec) {
  const cursor = {
    y: spec.crosshair === true,
    points: { size: 7, width: 0 },
    drag: { x: spec.time === true, y: false, setScale: false, dist: 4 },
    bind: { dblclick: () => () => (spec.time ? zoom.reset() : undefined) },
  };
  if (spec.time) {
    cursor.sync = { key: cursorGroup, setSeries: false, filters: { pub: (type) => type === "mousemove" } };
  }
  return cursor;
}

/** Show the time range that was selected with the mouse in all charts. */
function zoomToSelection(plot) {
  const { left, width } = plot.select;
  if (width < 4) return;
  const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  zoom.set(from, to);
}

const moveCursor = (plot, x) => plot.setCursor({ left: plot.valToPos(x, "x"), top: plot.over.clientHeight / 2 });

/** Move the cursor with the arrow keys and announce its values. Other keys zoom. */
function chartKey(event, plot, spec, level, announced) {
  const { idx } = plot.cursor;
  const x = at(spec.x, level);
  const around = spec.time && idx !== null && idx !== undefined ? x[idx] : undefined;
  if (spec.time && zoomByKey(event, around)) {
    event.preventDefault();
    // The charts take the new range in a microtask, so the cursor can only then return to its time.
    if (around !== undefined) queueMicrotask(() => moveCursor(plot, around));
    return;
  }
  const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
  if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const { min, max } = plot.scales.x;
  const first = x.findIndex((value) => value >= min);
  let last = x.length - 1;
  while (last > first && x[last] > max) last -= 1;
  const from = idx === null || idx === undefined ? (step > 0 ? first - 1 : last + 1) : idx;
  const next = Math.min(last, Math.max(first, from + step));
  moveCursor(plot, x[next]);
  const lines = spec.series.filter((line) => !line.hidden);
  const texts = lines.map((line) => `${line.label} ${line.format(at(line.values, level)[next] ?? null)}`);
  announced.textContent = [spec.describe ? spec.describe(next) : formatSecond(x[next]), ...texts].join(", ");
}
