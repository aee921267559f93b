// The percentile spectrum: latency over log10(1 / (1 - p)), so that the ranges up to p90, p99 and p99.9 are equally wide.

const percentMarks = [0, 50, 90, 95, 99, 99.9, 99.99, 99.999];
const nines = (percent) => Math.log10(1 / (1 - percent / 100));
const percentAt = (x) => 100 * (1 - 10 ** -x);

/** Return the points of one outcome: percentiles at equal steps, and the maximum of n samples at 1 - 1/n. */
function spectrumPoints(line) {
  const points = new Map();
  line.spectrum.forEach((bucket, step) => points.set(Math.round(step * run.spectrum_step * 1000) / 1000, bucketMs(bucket)));
  if (line.samples) points.set(Math.max(0.001, Math.log10(line.samples)), line.max_ms);
  return points;
}

function spectrumChart(host, scope, options) {
  const raw = scope.raw;
  const lines = [{ label: "successes", colour: "requests", points: spectrumPoints(raw.success) }];
  if (raw.failure) lines.push({ label: "failures", colour: "failures", points: spectrumPoints(raw.failure) });
  if (raw.comparison) {
    const points = new Map(raw.comparison.points.map(([percent, ms]) => [nines(percent), ms]));
    // Only a few percentiles are known. A line between them would suggest measured values, so draw dots.
    lines.push({ label: raw.comparison.label, colour: "soft", dots: true, points });
  }
  const x = [...new Set(lines.flatMap((line) => [...line.points.keys()]))].sort((a, b) => a - b);
  if (!x.length) return null;
  const end = Math.max(1, x[x.length - 1]);
  const series = lines.map((line) => ({
    label: line.label,
    colour: line.colour,
    dots: line.dots,
    span: true,
    format: formatMs,
    values: [x.map((mark) => line.points.get(mark) ?? null)],
  }));
  return makeChart(host, {
    x: [x],
    series,
    title: "Percentile spectrum",
    unit: "ms by percentile",
    height: options.height || 240,
    log: options.log,
    limits: [],
    xRange: () => [0, end * 1.02],
    xSplits: () => percentMarks.map(nines).filter((mark) => mark <= end * 1.02),
    xValues: (_, splits) => splits.map((mark) => formatPercentile(percentAt(mark))),
    describe: (index) => formatPercentile(percentAt(x[index])),
    draw: (plot) => drawPercentileLimits(plot, scope),
  });
}

/** Draw a short bar at each percentile limit of a rule. The curve must be below the bar. */
function drawPercentileLimits(plot, scope) {
  const { ctx, bbox } = plot;
  for (const limit of scope.limits) {
    const percent = Number(limit.metric.slice(1));
    if (!limit.metric.startsWith("p") || !(percent > 0)) continue;
    const [x, y] = [plot.valToPos(nines(percent), "x", true), plot.valToPos(limit.ms, "y", true)];
    if (y < bbox.top || y > bbox.top + bbox.height || x > bbox.left + bbox.width) continue;
    ctx.save();
    ctx.strokeStyle = colour(limit.outcome === "fail" ? "failures" : "fg");
    ctx.fillStyle = ctx.strokeStyle;
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x - 9 * devicePixelRatio, y);
    ctx.lineTo(x + 9 * devicePixelRatio, y);
    ctx.stroke();
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = "right";
    ctx.fillText(`${limit.metric} limit`, x - 12 * devicePixelRatio, y + 4 * devicePixelRatio);
    ctx.restore();
  }
}
