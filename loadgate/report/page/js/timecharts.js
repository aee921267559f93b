// The charts over time: response times, requests and failures, and users. The stages are drawn in the background.

/** Shade the ramp, and draw a line at the start of each stage and at the end of a run that ended early. */
function drawStages(plot, labelled) {
  const { ctx, bbox } = plot;
  // If the run ended early, its later stages never started.
  const stages = run.stages.filter(([since], index) => index === 0 || since < run.duration_s);
  const ends = [...stages.slice(1).map(([since]) => since), run.duration_s];
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textBaseline = "top";
  stages.forEach(([since, name], index) => {
    const from = plot.valToPos(since, "x", true);
    const to = plot.valToPos(ends[index], "x", true);
    if (name === "ramp") {
      ctx.fillStyle = colour("ramp");
      ctx.fillRect(from, bbox.top, to - from, bbox.height);
    }
    if (index > 0) verticalLine(ctx, bbox, from, colour("stage"));
    const begin = Math.max(from, bbox.left) + 5 * devicePixelRatio;
    if (labelled && ctx.measureText(name).width < Math.min(to, bbox.left + bbox.width) - begin) {
      ctx.fillStyle = colour("soft");
      ctx.fillText(name, begin, bbox.top + 3 * devicePixelRatio);
    }
  });
  if (run.ending !== "completed") drawEnding(plot, labelled);
  ctx.restore();
}

function drawEnding(plot, labelled) {
  const { ctx, bbox } = plot;
  const x = Math.min(plot.valToPos(run.duration_s, "x", true), bbox.left + bbox.width - 1);
  verticalLine(ctx, bbox, x, colour("failures"));
  if (!labelled) return;
  ctx.fillStyle = colour("failures");
  ctx.textAlign = "right";
  ctx.fillText(run.ending, x - 5 * devicePixelRatio, bbox.top + 18 * devicePixelRatio);
}

function verticalLine(ctx, bbox, x, style) {
  ctx.strokeStyle = style;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.setLineDash([]);
}

/** Return the limits of a scope's latency rules, each in the colour of its percentile. */
function limitsOf(scope) {
  return scope.limits.map((limit) => ({
    at: limit.ms,
    colour: ["p50", "p95", "p99", "max"].includes(limit.metric) ? limit.metric : "soft",
    label: `${limit.metric} limit ${limit.text}`,
  }));
}

/** Return the p95 of a scope in the baseline as a dotted line. Other percentiles would hide the lines of the run. */
function baselineOf(scope) {
  return scope.raw.baseline.map((value) => ({ at: value.ms, colour: "soft", dash: [2, 4], label: `p95 of the ${value.of} ${value.text}` }));
}

/** Shade the worst window of each failed rule with a window. */
function drawWorstWindows(plot, limits) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = colour("failures-fill");
  for (const limit of limits.filter((item) => item.outcome === "fail" && item.worst_s !== null)) {
    const from = plot.valToPos(limit.worst_s, "x", true);
    ctx.fillRect(from, bbox.top, plot.valToPos(limit.worst_s + limit.over_s, "x", true) - from, bbox.height);
  }
  ctx.restore();
}

const timeBase = (labelled, limits = [], times = slotTimes) => ({
  x: times,
  time: true,
  marks: (plot) => {
    drawStages(plot, labelled);
    drawWorstWindows(plot, limits);
  },
});

function responseChart(host, scope, options) {
  const line = (label, values, more) => ({ label, colour: label, values, format: formatMs, ...more });
  const success = scope.success;
  return makeChart(host, {
    ...timeBase(options.labelled, scope.limits, scope.times),
    title: "Response time",
    unit: "ms, successful requests",
    height: options.height,
    log: options.log,
    limits: [...limitsOf(scope), ...baselineOf(scope)],
    series: [
      line("p50", success.p50),
      line("p95", success.p95),
      line("p99", success.p99),
      line("max", success.max, { hidden: true }),
    ],
    onCursor: options.onCursor,
  });
}

function failureTimeChart(host, scope, options) {
  const line = (label, values, colourName) => ({ label, colour: colourName, values, format: formatMs });
  return makeChart(host, {
    ...timeBase(false, [], scope.times),
    title: "Time until failure",
    unit: "ms, failed requests",
    height: options.height,
    log: options.log,
    series: [line("p50", scope.failure.p50, "p50"), line("p95", scope.failure.p95, "failures")],
  });
}

function rateChart(host, scope, options) {
  const line = (label, values, colourName) => ({ label, colour: colourName, values, format: formatRate, fill: true });
  return makeChart(host, {
    ...timeBase(false, [], scope.times),
    title: "Requests and failures",
    unit: "per second",
    height: options.height,
    series: [line("requests", scope.requestRate, "requests"), line("failures", scope.failureRate, "failures")],
  });
}

/**
 * Return the means of the slots of each grid, given those of the first grid. A slot at either end of the run becomes null
 * if less than half of it lies within the run.
 */
function meansOnGrids(means) {
  return run.grids.map((of, level) => {
    const size = of.width_s / grid.width_s;
    return slotSeconds[level].map((seconds, slot) => {
      const part = means.slice(slot * size, (slot + 1) * size);
      return seconds < of.width_s / 2 ? null : part.reduce((sum, mean) => sum + mean, 0) / part.length;
    });
  });
}

/** Draw the requests in flight of a total. Return null for a group that has only measures. */
function inFlightChart(host, scope) {
  if (!scope.raw.in_flight.some(Boolean)) return null;
  return makeChart(host, {
    ...timeBase(false),
    title: "Requests in flight",
    unit: "mean",
    height: 120,
    series: [{ label: "in flight", colour: "requests", values: meansOnGrids(scope.raw.in_flight), format: formatMeanCount, fill: true }],
  });
}

function usersChart(host) {
  return makeChart(host, {
    ...timeBase(false),
    x: [slotTimes[0]],
    title: "Users",
    unit: "running",
    height: 130,
    series: [{ label: "users", colour: "users", values: [run.users], format: formatCount, fill: true }],
  });
}

const groupColours = ["c1", "c2", "c3", "c4", "c5", "c6"];

/** Draw the p95 of each group and the limits of its rules. Return null if there are fewer than two groups. */
function groupsChart(host, options) {
  const groups = run.scopes.map((raw, index) => [raw, index]).filter(([raw]) => raw.kind === "group");
  if (groups.length < 2) return null;
  const series = groups.map(([raw, index], number) => ({
    label: raw.name,
    colour: groupColours[number % groupColours.length],
    values: scopeData(index).success.p95,
    format: formatMs,
  }));
  const limits = groups.flatMap(([raw], number) =>
    raw.limits
      .filter((limit) => limit.metric === "p95")
      .map((limit) => ({
        at: limit.ms,
        colour: groupColours[number % groupColours.length],
        label: `${raw.name} limit ${limit.text}`,
      })),
  );
  const texts = new Set(groups.flatMap(([raw]) => raw.limits.filter((limit) => limit.metric === "p95").map((limit) => limit.text)));
  const same = texts.size === 1 && limits.length === groups.length;
  return makeChart(host, {
    ...timeBase(true, groups.flatMap(([raw]) => raw.limits)),
    title: "p95 of each group",
    unit: "ms, successful requests, dashed: limits",
    height: 210,
    log: options.log,
    series,
    limits: same ? [{ at: limits[0].at, colour: "soft", label: `limit of each group ${[...texts][0]}` }] : limits,
  });
}
