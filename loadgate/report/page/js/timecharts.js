// The charts over time: response times, requests and failures, and users. The stages are drawn in the background.

/** The start, the end and the name of each stage. If the run ended early, its later stages never started. */
const stages = run.stages
  .filter(([since], index) => index === 0 || since < run.duration_s)
  .map(([since, name], index, all) => [since, index + 1 < all.length ? all[index + 1][0] : run.duration_s, name]);

/** Draw only on the area of the lines. */
function onLines({ ctx, bbox }, draw) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw(ctx, bbox);
  ctx.restore();
}

/** Shade the ramp, and draw a line at the start of each stage and at the end of a run that ended early. */
function drawStages(plot) {
  onLines(plot, (ctx, bbox) => {
    stages.forEach(([since, until, name], index) => {
      const from = plot.valToPos(since, "x", true);
      if (name === "ramp") {
        ctx.fillStyle = colour("ramp");
        ctx.fillRect(from, bbox.top, plot.valToPos(until, "x", true) - from, bbox.height);
      }
      if (index > 0) verticalLine(ctx, bbox, from, colour("stage"));
    });
    if (run.ending !== "completed") verticalLine(ctx, bbox, endingAt(plot), colour("failures"));
  });
}

/** Write the names of the stages, and how a run ended early, above the lines of the grid. */
function drawLabels(plot) {
  onLines(plot, (ctx, bbox) => {
    const px = devicePixelRatio;
    ctx.font = `${11 * px}px system-ui, sans-serif`;
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    const widthOf = (text) => ctx.measureText(text).width;
    const write = (text, left, top, style) => {
      ctx.fillStyle = colour("raised");
      ctx.fillRect(left - 2 * px, top - 2 * px, widthOf(text) + 4 * px, 15 * px);
      ctx.fillStyle = colour(style);
      ctx.fillText(text, left, top);
    };
    for (const [since, until, name] of stages) {
      const begin = Math.max(plot.valToPos(since, "x", true), bbox.left) + 5 * px;
      const end = Math.min(plot.valToPos(until, "x", true), bbox.left + bbox.width);
      if (widthOf(name) < end - begin) write(name, begin, bbox.top + 3 * px, "soft");
    }
    if (run.ending !== "completed") write(run.ending, endingAt(plot) - 5 * px - widthOf(run.ending), bbox.top + 18 * px, "failures");
  });
}

const endingAt = (plot) => Math.min(plot.valToPos(run.duration_s, "x", true), plot.bbox.left + plot.bbox.width - 1);

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

/** Shade the worst window of each failed rule with a window, and the time in which each other failed rule was broken. */
function drawBreaches(plot, limits) {
  const spansOf = (limit) => (limit.worst_s === null ? limit.broken : [[limit.worst_s, limit.worst_s + limit.over_s]]);
  onLines(plot, (ctx, bbox) => {
    ctx.fillStyle = colour("failures-fill");
    for (const [since, until] of limits.filter((item) => item.outcome === "fail").flatMap(spansOf)) {
      const from = plot.valToPos(since, "x", true);
      ctx.fillRect(from, bbox.top, plot.valToPos(until, "x", true) - from, bbox.height);
    }
  });
}

const timeBase = (labelled, limits = [], times = slotTimes) => ({
  x: times,
  time: true,
  marks: (plot) => {
    drawStages(plot);
    drawBreaches(plot, limits);
  },
  draw: labelled ? drawLabels : undefined,
});

const percentiles = ["p50", "p95", "p99"];

/** Return how a percentile is drawn: in steps that rest on enough requests, or as dots if there are too few for a line. */
function percentileLine(outcome, name, more) {
  const slots = outcome.points[0][percentiles.indexOf(name)];
  return { label: name, colour: name, values: outcome[name], format: formatMs, dots: slots === 0, stepped: slots > 1, ...more };
}

/** Return the p95 of each slot as faint dots beside its line. Empty if the line has the same values. */
function slotDots(outcome, colourName) {
  if (!outcome.slotP95 || outcome.points[0][1] === 0) return [];
  return [{ label: `p95 of ${run.grids[0].width}`, colour: colourName, values: outcome.slotP95, format: formatMs, dots: true, faint: true }];
}

/** Return the time that a step of the p95 covers, as in ", a step of p95 covers 10 s". Empty for a single slot. */
function pointText(outcome) {
  const slots = outcome.points[0][1];
  return slots > 1 ? `, a step of p95 covers ${slots * run.grids[0].width_s} s` : "";
}

/** Return whether the highest values are so far above the usual ones that a linear axis would hide these. */
function isSkewed(values) {
  const known = values.filter(isKnown).sort((one, other) => one - other);
  return known.length > 2 && known.at(-1) > 20 * known[Math.floor(known.length / 2)];
}

function responseChart(host, scope, options) {
  const { success } = scope;
  const tooFew = success.points[0][2] === 0;
  return makeChart(host, {
    ...timeBase(options.labelled, scope.limits, scope.times),
    title: "Response time",
    unit: `ms, successful requests${pointText(success)}`,
    height: options.height,
    log: options.log || isSkewed(success.p95[0]),
    limits: [...limitsOf(scope), ...baselineOf(scope)],
    series: [
      percentileLine(success, "p50"),
      percentileLine(success, "p95"),
      percentileLine(success, "p99", { hidden: tooFew }),
      { label: "max", colour: "max", values: success.max, format: formatMs, hidden: true },
      ...slotDots(success, "p95"),
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

/** Draw the rates of a scope. With those of all requests of an open model, draw the planned and the late arrivals. */
function rateChart(host, scope, options) {
  const line = (label, values, colourName) => ({ label, colour: colourName, values, format: formatRate, fill: true });
  const isPlanned = run.planned && scope.raw.kind === "overall";
  const planned = isPlanned ? [{ ...line("planned arrivals", run.planned, "soft"), fill: false, dash: true }] : [];
  if (isPlanned && run.late) planned.push({ ...line("late arrivals", run.late, "late"), fill: false });
  return makeChart(host, {
    ...timeBase(false, [], scope.times),
    title: isPlanned ? "Arrivals, requests and failures" : "Requests and failures",
    unit: "per second",
    height: options.height,
    series: [line("requests", scope.requestRate, "requests"), line("failures", scope.failureRate, "failures"), ...planned],
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
      return seconds < of.width_s / 2 ? null : (part.reduce((sum, mean) => sum + mean, 0) * grid.width_s) / seconds;
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

/** Draw the p95 of each group in a chart of its own, with its limits. Return null if there are fewer than two groups. */
function groupsChart(host, options) {
  const groups = [...run.scopes.keys()].filter((index) => run.scopes[index].kind === "group");
  if (groups.length < 2) return null;
  const body = element("div", "multiples");
  host.append(body);
  const made = groups.map((index) => groupChart(body, scopeData(index), options));
  return {
    destroy() {
      made.forEach((chart) => chart.destroy());
      body.remove();
    },
  };
}

function groupChart(host, scope, options) {
  const { success } = scope;
  const isP95 = (limit) => limit.metric === "p95";
  return makeChart(host, {
    ...timeBase(false, scope.limits.filter(isP95), scope.times),
    title: scope.raw.name,
    unit: `p95, ms${pointText(success)}`,
    height: 150,
    log: options.log || isSkewed(success.p95[0]),
    limits: [...limitsOf({ limits: scope.limits.filter(isP95) }), ...baselineOf(scope)],
    series: [percentileLine(success, "p95"), ...slotDots(success, "p95")],
  });
}
