// The charts of the target's resources: one for each quantity, with a line for each resource.

const lineColours = ["c1", "c2", "c3", "c4", "c5", "c6"];

/** The format of the values of an axis. The values are in the unit of the axis. */
const axisFormats = {
  MB: (megabytes) => formatBytes(isKnown(megabytes) ? megabytes * 1e6 : megabytes),
  "MB/s": (megabytes) => `${axisFormats.MB(megabytes)}/s`,
  cores: formatCores,
  ms: formatMs,
  s: formatSeconds,
  "s/s": (seconds) => `${formatFigure(seconds)} s/s`,
  count: formatMeanCount,
  "per second": formatRate,
};

function resourceChart(host, raw) {
  const style = (index) => ({ colour: lineColours[index % lineColours.length] });
  const kind = raw.title === "Waits" ? ", mean" : "";
  return makeChart(host, {
    ...timeBase(false),
    title: raw.title,
    unit: `${raw.axis}${kind}${raw.limits.length ? ", dashed: limits" : ""}`,
    height: 120,
    // The distance to a limit matters more than for latencies.
    reach: 5,
    series: raw.lines.map((line) => ({ ...style(line.colour), label: line.label, values: line.values, format: axisFormats[raw.axis] })),
    limits: raw.limits.map((limit) => ({ ...limit, ...style(limit.colour) })),
  });
}
