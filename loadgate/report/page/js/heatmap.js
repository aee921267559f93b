// The latency heat map: time on the x axis, latency on a logarithmic y axis, and the number of requests as colour.

const heatStops = {
  light: [[219, 234, 254], [125, 178, 250], [54, 116, 224], [29, 62, 150], [15, 23, 72]],
  dark: [[30, 45, 74], [38, 92, 138], [44, 160, 156], [201, 210, 91], [255, 244, 184]],
};
const heatLevels = 24;

/** The finest grid or, if there are many names, the coarser one. */
const heatGrid = run.grids[run.heat_grid];

/** Return `heatLevels` colours, from few to many requests. */
function heatPalette() {
  const stops = heatStops[isDark() ? "dark" : "light"];
  return Array.from({ length: heatLevels }, (_, level) => {
    const at = (level / (heatLevels - 1)) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    const mixed = stops[low].map((value, part) => Math.round(value + (stops[low + 1][part] - value) * (at - low)));
    return `rgb(${mixed.join(",")})`;
  });
}

/** Return the cells of a scope: their rows, their numbers of requests, and the index of each slot's first cell. */
function heatCells(raw) {
  const { used, rows, samples } = raw.heat;
  const begins = new Uint32Array(heatGrid.count + 1);
  for (let slot = 0; slot < heatGrid.count; slot += 1) begins[slot + 1] = begins[slot] + used[slot];
  return { rows, samples, begins };
}

const rowLowMs = (row) => bucketLowMs(row << run.heat_shift);

function heatLevel(samples, most) {
  return Math.min(heatLevels - 1, Math.floor((Math.log(samples) / Math.log(Math.max(most, 2))) * (heatLevels - 1)));
}

function heatChart(host, scope, options) {
  const cells = heatCells(scope.raw);
  if (!cells.samples.length) return null;
  let [first, last, most] = [Infinity, 0, 1];
  cells.rows.forEach((row, index) => {
    first = Math.min(first, row);
    last = Math.max(last, row);
    most = Math.max(most, cells.samples[index]);
  });
  const bounds = [Math.max(rowLowMs(first), 0.001), rowLowMs(last + 1)];
  const note = element("span", "heat-note");
  const scale = heatScale(most);
  const chart = makeChart(host, {
    ...timeBase(false),
    x: [slotTimes[run.heat_grid]],
    title: "Latency heat map",
    unit: `ms, successful requests, ${heatGrid.width} per column`,
    className: "heat",
    height: 230,
    log: true,
    yRange: () => bounds,
    yGrid: false,
    crosshair: true,
    series: [{ label: "requests", colour: "soft", values: [slotRequests(cells)], format: () => "", hidden: true }],
    draw: (plot) => {
      drawHeat(plot, cells, most);
      scale.paint();
    },
    describe: (slot) => `${formatSecond(slotStart(slot, heatGrid))}: ${describeSlot(cells, slot)}`,
    onCursor: (_, plot) => {
      note.textContent = cellUnder(plot, cells);
    },
  });
  const legend = host.lastElementChild.querySelector(".legend");
  legend.replaceChildren(note, scale.node);
  return chart;
}

/** Return the number of requests of each slot. The series is hidden; the cursor needs it. */
function slotRequests(cells) {
  return Array.from({ length: heatGrid.count }, (_, slot) => {
    let sum = 0;
    for (let at = cells.begins[slot]; at < cells.begins[slot + 1]; at += 1) sum += cells.samples[at];
    return sum || null;
  });
}

function drawHeat(plot, cells, most) {
  const { ctx, bbox } = plot;
  const palette = heatPalette();
  const rects = palette.map(() => []);
  const [from, to] = [slotAt(plot.scales.x.min, heatGrid), slotAt(plot.scales.x.max, heatGrid)];
  for (let slot = from; slot <= to; slot += 1) {
    const left = Math.round(plot.valToPos(slotStart(slot, heatGrid), "x", true));
    const right = Math.max(left + 1, Math.round(plot.valToPos(slotStart(slot + 1, heatGrid), "x", true)));
    for (let at = cells.begins[slot]; at < cells.begins[slot + 1]; at += 1) {
      rects[heatLevel(cells.samples[at], most)].push([left, right, cells.rows[at]]);
    }
  }
  const top = new Map();
  const y = (row) => {
    if (!top.has(row)) top.set(row, Math.round(plot.valToPos(Math.max(rowLowMs(row), 0.001), "y", true)));
    return top.get(row);
  };
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  rects.forEach((level, number) => {
    ctx.fillStyle = palette[number];
    for (const [left, right, row] of level) ctx.fillRect(left, y(row + 1), right - left, Math.max(1, y(row) - y(row + 1)));
  });
  ctx.restore();
}

/** Describe the cell under the cursor. */
function cellUnder(plot, cells) {
  const { left, top } = plot.cursor;
  if (left === undefined || left < 0 || top < 0) return "";
  const ms = plot.posToVal(top, "y");
  const slot = slotAt(plot.posToVal(left, "x"), heatGrid);
  for (let at = cells.begins[slot]; at < cells.begins[slot + 1]; at += 1) {
    const [low, high] = [rowLowMs(cells.rows[at]), rowLowMs(cells.rows[at] + 1)];
    if (ms >= low && ms < high) return `${formatMs(low)} – ${formatMs(high)}: ${formatCount(cells.samples[at])}`;
  }
  return "";
}

function describeSlot(cells, slot) {
  const [begin, end] = [cells.begins[slot], cells.begins[slot + 1]];
  if (begin === end) return "no successful request";
  return `from ${formatMs(rowLowMs(cells.rows[begin]))} to ${formatMs(rowLowMs(cells.rows[end - 1] + 1))}`;
}

/** Create the legend of the colours, from few to many requests. */
function heatScale(most) {
  const node = element("span", "heat-scale");
  const canvas = element("canvas");
  canvas.width = heatLevels;
  canvas.height = 1;
  canvas.setAttribute("aria-hidden", "true");
  node.append("1 ", canvas, ` ${formatCount(most)} requests`);
  const paint = () => {
    const ctx = canvas.getContext("2d");
    heatPalette().forEach((step, level) => {
      ctx.fillStyle = step;
      ctx.fillRect(level, 0, 1, 1);
    });
  };
  return { node, paint };
}
