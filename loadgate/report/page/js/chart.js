// One chart: uPlot with our axes, a legend of buttons, the keyboard, and the zoom that all charts over time share.

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

/** Axes in the colours of the theme; `spec.xValues` writes the labels of the horizontal one. */
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

/** Labels of a logarithmic axis: powers of ten, and 2 and 5 times them where there are few. */
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

const nearLimits = (spec, high) => (spec.limits || []).map((limit) => limit.ms).filter((ms) => ms <= high * 3);

function linearTop(spec, high) {
  return Math.max(high || 0, ...nearLimits(spec, high)) * 1.08 || 1;
}

function logRange(spec, low, high) {
  if (!(low > 0)) return [1, 100];
  return uPlot.rangeLog(low, Math.max(high, ...nearLimits(spec, high)), 10, false);
}

/** Dashed lines where the rules have their limits. */
function drawLimits(plot, spec) {
  const { ctx, bbox } = plot;
  for (const limit of spec.limits || []) {
    const y = plot.valToPos(limit.ms, "y", true);
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.save();
    ctx.strokeStyle = colour(limit.colour);
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }
}

/** The legend: a button for each line, which shows the value under the cursor and hides the line when pressed. */
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
    key.append(element("i", `swatch dashed ${limit.colour}`), limit.label);
    legend.append(key);
  }
  return { legend, values };
}

/**
 * Draw a chart into `host`.
 *
 * spec: title, unit, x, series (label, colour, values, format, dash, dots, fill, hidden), where x and values are arrays of
 * arrays, one for each grid (a single one for what has no other), height, limits (ms, label, colour),
 * log, yRange, time (whether x is the shared time), marks (draws behind the lines), draw (draws over them),
 * describe(index) for the spoken value, xRange/xSplits/xValues for other axes than time.
 */
function makeChart(host, spec) {
  const { figure, box, spoken, values } = frameOf(spec, (index, show) => plot.setSeries(index + 1, { show }));
  host.append(figure);
  const size = () => ({ width: Math.max(200, box.clientWidth), height: spec.height || 190 });
  let level = spec.time ? zoom.level : 0;
  const readout = (drawn) => {
    const index = drawn.cursor.idx;
    values.forEach((value, number) => {
      const line = spec.series[number];
      value.textContent = index === null || index === undefined ? "" : line.format(at(line.values, level)[index] ?? null);
    });
    if (spec.onCursor) spec.onCursor(drawn);
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
  box.addEventListener("keydown", (event) => chartKey(event, plot, spec, level, spoken));
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

/** What stands around the plot: title, legend, the box that takes the keyboard, and what is said aloud. */
function frameOf(spec, toggle) {
  const figure = element("figure", `chart ${spec.className || ""}`);
  const caption = element("figcaption");
  caption.append(element("strong", "", spec.title), element("small", "", spec.unit));
  const box = element("div", "plot");
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", `${spec.title}, ${spec.unit}: chart`);
  const spoken = element("p", "spoken");
  spoken.setAttribute("aria-live", "polite");
  const { legend, values } = legendOf(spec, toggle);
  caption.append(legend);
  figure.append(caption, box, spoken);
  return { figure, box, spoken, values };
}

/** The array of a grid, or of the only one that there is. */
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
      setSelect: [takeSelection],
    },
  };
}

/** Whether so many slots have no sample that dots must show where there are some. */
function isSparse(values) {
  const filled = values.filter((value) => value !== null && value !== undefined).length;
  return values.length < 2 || filled < values.length * 0.6;
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
    points: { show: (plot, index) => line.dots || (!line.span && isSparse(plot.data[index])), size: line.dots ? 7 : 5, width: 0, fill: () => colour(line.colour) },
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

/** A stretch was marked with the mouse: all charts show it. */
function takeSelection(plot) {
  const { left, width } = plot.select;
  if (width < 4) return;
  const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  zoom.set(from, to);
}

/** Arrows move the cursor and say what is under it; the other keys zoom. */
function chartKey(event, plot, spec, level, spoken) {
  const { idx } = plot.cursor;
  const x = at(spec.x, level);
  const around = spec.time && idx !== null && idx !== undefined ? x[idx] : undefined;
  if (spec.time && zoomByKey(event, around)) {
    event.preventDefault();
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
  plot.setCursor({ left: plot.valToPos(x[next], "x"), top: plot.over.clientHeight / 2 });
  const lines = spec.series.filter((line) => !line.hidden);
  const said = lines.map((line) => `${line.label} ${line.format(at(line.values, level)[next] ?? null)}`);
  spoken.textContent = [spec.describe ? spec.describe(next) : formatOffset(x[next]), ...said].join(", ");
}
